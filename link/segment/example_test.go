package segment_test

import (
	"fmt"

	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/link/segment"
	"github.com/isat-project/isat/lladdr"
)

func Example() {
	lan := segment.New(segment.Options{})
	defer lan.Close()
	a := lan.Port(lladdr.MustParse("02:00:00:00:00:0a"))
	b := lan.Port(lladdr.MustParse("02:00:00:00:00:0b"))

	header := link.Header{Destination: lladdr.Broadcast(), Source: a.MAC(), Type: link.TypeARP}
	frame := link.Ethernet{}.Append(nil, header, []byte("a packet"))
	if _, err := a.WriteFrames([][]byte{frame}); err != nil {
		panic(err)
	}

	frames := make([][]byte, 16)
	n, err := b.ReadFrames(frames)
	if err != nil {
		panic(err)
	}
	for _, f := range frames[:n] {
		h, payload, err := link.Ethernet{}.Parse(f)
		fmt.Printf("from %v: %.8s %v\n", h.Source, payload, err)
	}
	// Output: from 02:00:00:00:00:0a: a packet <nil>
}
