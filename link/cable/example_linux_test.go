package cable_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/isat-project/isat/link/cable"
)

// Two ports on a hub. What `isat cable PATH` does is the first half.
func Example() {
	dir, err := os.MkdirTemp("", "cable")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "hub")

	hub, err := cable.Listen(path)
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- hub.Run(ctx) }()

	here, err := cable.Dial(path)
	if err != nil {
		log.Fatal(err)
	}
	there, err := cable.Dial(path)
	if err != nil {
		log.Fatal(err)
	}
	for hub.Stats().Ports < 2 { // the hub takes a port soon after Dial
		time.Sleep(time.Millisecond)
	}
	if _, err := here.WriteFrames([][]byte{[]byte("a frame")}); err != nil {
		log.Fatal(err)
	}
	frames := make([][]byte, 64)
	n, err := there.ReadFrames(frames)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q\n", frames[:n])

	here.Close()
	there.Close()
	cancel()
	fmt.Println(<-done)
	// Output:
	// ["a frame"]
	// <nil>
}
