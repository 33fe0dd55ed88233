//go:build !linux

package lab

import (
	"context"
	"runtime"
)

// run plays what needs no kernel: there are no network namespaces here.
func run(ctx context.Context, o Options) (ok bool, err error) {
	return o.playSegment(ctx, &refusal{
		reason: "the lab's network of real kernels needs Linux, and this is " + runtime.GOOS,
		remedy: "run it on Linux; a virtual machine will do",
	})
}
