package pcap_test

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/isat-project/isat/link/pcap"
)

func Example() {
	var file bytes.Buffer
	w, err := pcap.NewWriter(&file, pcap.LinkTypeEthernet)
	if err != nil {
		panic(err)
	}
	if err := w.WriteFrame(time.Unix(0, 5), make([]byte, 60)); err != nil {
		panic(err)
	}

	r, err := pcap.NewReader(&file)
	if err != nil {
		panic(err)
	}
	for {
		t, frame, err := r.ReadFrame()
		if err == io.EOF {
			break
		}
		if err != nil {
			panic(err)
		}
		fmt.Println(t.UnixNano(), len(frame))
	}
	// Output: 5 60
}
