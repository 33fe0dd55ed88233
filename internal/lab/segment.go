package lab

import (
	"context"
	"fmt"
)

// playSegment plays the scenarios that need no kernel on a segment in memory, for
// a system that refuses the others.
func (o Options) playSegment(ctx context.Context, why *refusal) (ok bool, err error) {
	if !o.JSON {
		fmt.Fprintf(o.Stdout, "%s\n%s\n\n", why.reason, why.remedy)
	}
	return o.play(ctx, func(_ context.Context, s outline, _ *Story) Result {
		r := Result{Scenario: s.name, About: s.about}
		r.failed(why)
		return r
	})
}
