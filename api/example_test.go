package api_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"syscall"
	"time"

	"github.com/isat-project/isat/api"
)

// A program resolves an address through the running daemon.
func ExampleClient_Resolve() {
	c := api.NewClient(api.DefaultSocket)
	defer c.Close()
	e, err := c.Resolve(context.Background(), netip.MustParseAddr("192.0.2.9"), "eth0", 3*time.Second)
	switch {
	case errors.Is(err, syscall.EHOSTDOWN):
		fmt.Println("nobody answers")
	case err != nil:
		log.Fatal(err)
	default:
		fmt.Println(e.IP, "is at", e.MAC)
	}
}

// A program follows conflicts and takes up where it stopped.
func ExampleClient_Events() {
	c := api.NewClient(api.DefaultSocket)
	defer c.Close()
	var seen api.Position // kept over restarts by whoever must miss nothing
	s, err := c.Events(context.Background(), seen)
	if err != nil {
		log.Fatal(err)
	}
	for e, err := range s.All() {
		if err != nil {
			log.Fatal(err)
		}
		seen = e.Position()
		if e.Type == "conflict" {
			fmt.Println(e.Time, e.Message)
		}
	}
}

// Positions are text that a program can store.
func ExampleParsePosition() {
	p, err := api.ParsePosition("5f1e0c2a:17")
	fmt.Println(p.Instance, p.Seq, err)
	// Output: 5f1e0c2a 17 <nil>
}
