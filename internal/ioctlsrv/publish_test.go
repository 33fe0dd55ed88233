package ioctlsrv

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/isat-project/isat/acd"
	"github.com/isat-project/isat/host"
	"github.com/isat-project/isat/ioctl"
	"github.com/isat-project/isat/lladdr"
	"github.com/isat-project/isat/proxy"
)

// TestPublishedIsProbedFirst: on an interface that detects duplicates SET with
// ATF_PUBL, in both forms, is answered for when nobody was found to have the
// address, and GET tells of ATF_PUBL all the time (facts/solaris-arp-ipmp.md 2.2).
func TestPublishedIsProbedFirst(t *testing.T) {
	for name, set := range map[string]ioctl.Request{
		"extended": extendedOf(ioctl.SIOCSXARP, ip9, "", flags(ioctl.Published|ioctl.Permanent)),
		"plain":    plainOf(ioctl.SIOCSARP, ip9, linuxFlags(uint32(ioctl.Published|ioctl.Permanent))),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, h := newDecider(t)
				e0, _ := h.Host.Interface("e0")
				e0.SetDAD(true, acd.ReprobeAnnounce)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- h.Run(ctx) }()
				decided := func() proxy.Reason {
					x, err := h.Explain(ctx, proxy.Request{Interface: "e0", SenderMAC: lladdr.MustParse("02:00:00:00:00:0a"), SenderIP: ip9.Next(), TargetIP: ip9})
					if err != nil {
						t.Fatal(err)
					}
					return x.Decision.Reason
				}

				must(t, b, set)
				if got := decided(); got != proxy.PublishedWithheld {
					t.Errorf("while it is probed, %v decides", got)
				}
				const want = ioctl.InUse | ioctl.Complete | ioctl.Permanent | ioctl.Published
				if x := getX(t, b, ip9, ""); x.Flags != want {
					t.Errorf("while it is probed, GET has flags %#x, want %#x", x.Flags, want)
				}
				time.Sleep(time.Minute)
				if got := decided(); got != proxy.PublishedAnswer {
					t.Errorf("when it is verified, %v decides", got)
				}
				if x := getX(t, b, ip9, ""); x.Flags != want {
					t.Errorf("when it is verified, GET has flags %#x, want %#x", x.Flags, want)
				}
				must(t, b, extendedOf(ioctl.SIOCDXARP, ip9, "", nil))
				if e := h.Entry(ip9); len(e) != 0 {
					t.Errorf("deleted, there is %+v", e)
				}
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// TestPublishedIsKept: what was probed once is known as such.
func TestPublishedIsKept(t *testing.T) {
	b, h := newDecider(t)
	e0, _ := h.Host.Interface("e0")
	e0.SetDAD(true, acd.ReprobeAnnounce)
	must(t, b, extendedOf(ioctl.SIOCSXARP, ip9, "", flags(ioctl.Published)))
	if e := h.Entry(ip9); len(e) != 1 || !e[0].Probed || e[0].Publish != host.Published {
		t.Errorf("the entries are %+v", e)
	}
}
