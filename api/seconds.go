package api

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Seconds is a duration that is a number of seconds in JSON, such as 1200 or
// 0.25, to the microsecond. In Go it counts nanoseconds, as [time.Duration] does.
type Seconds time.Duration

// Duration returns s as the type of package time.
func (s Seconds) Duration() time.Duration { return time.Duration(s) }

// String returns the form of [time.Duration], such as "20m0s".
func (s Seconds) String() string { return time.Duration(s).String() }

// MarshalJSON implements [json.Marshaler].
func (s Seconds) MarshalJSON() ([]byte, error) {
	d := time.Duration(s).Round(time.Microsecond)
	return strconv.AppendFloat(nil, d.Seconds(), 'f', -1, 64), nil
}

// maxSeconds is what a time.Duration holds, rounded down to a whole second.
const maxSeconds = math.MaxInt64 / int64(time.Second)

// UnmarshalJSON implements [json.Unmarshaler]. A number beyond what a
// [time.Duration] holds, about 292 years, is an error.
func (s *Seconds) UnmarshalJSON(text []byte) error {
	var f float64
	if err := json.Unmarshal(text, &f); err != nil {
		return fmt.Errorf("want a number of seconds, not %s", text)
	}
	if math.Abs(f) > float64(maxSeconds) {
		return fmt.Errorf("%s seconds: want at most %d", text, maxSeconds)
	}
	*s = Seconds(math.Round(f * float64(time.Second)))
	return nil
}
