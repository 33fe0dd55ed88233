package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/isat-project/isat/api"
)

var twoAddresses = api.ProbeRequest{Interface: "eth0", IPs: []netip.Addr{ip4(1), ip4(2)}}

// Each address is told as soon as it is known: the second is found only after the
// first was read.
func TestProbeStream(t *testing.T) {
	r := start(t, root)
	read := make(chan struct{})
	r.probe = func(_ context.Context, q api.ProbeRequest, found func(api.Probed)) error {
		found(api.Probed{IP: q.IPs[1], MAC: "02:00:00:00:00:09"})
		<-read
		found(api.Probed{IP: q.IPs[0], Free: true})
		return nil
	}
	var got []api.Probed
	err := r.client.Probe(t.Context(), twoAddresses, func(p api.Probed) error {
		if got = append(got, p); len(got) == 1 {
			close(read)
		}
		return nil
	})
	want := []api.Probed{{IP: ip4(2), MAC: "02:00:00:00:00:09"}, {IP: ip4(1), Free: true}}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); err != nil || diff != "" {
		t.Errorf("%v, (-want +got):\n%s", err, diff)
	}
}

// What fails before the first address has a status; what fails later is the last
// line.
func TestProbeErrors(t *testing.T) {
	noLink := fmt.Errorf("probing on eth0: no link: %w", syscall.ENETDOWN)
	const body = `{"interface":"eth0","ips":["192.0.2.1","192.0.2.2"]}`

	r := start(t, root)
	r.probe = func(context.Context, api.ProbeRequest, func(api.Probed)) error { return noLink }
	r.do(t, "POST", "/v1/probe", body).wantError(t, http.StatusConflict, "ENETDOWN")

	r.probe = func(_ context.Context, q api.ProbeRequest, found func(api.Probed)) error {
		found(api.Probed{IP: q.IPs[0], Free: true})
		return noLink
	}
	a := r.do(t, "POST", "/v1/probe", body)
	want := `{"ip":"192.0.2.1","free":true}` + "\n" + `{"error":"probing on eth0: no link: network is down","errno":"ENETDOWN"}` + "\n"
	if a.status != http.StatusOK || a.body != want || a.header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("status %d, %v, %s\nwant %s", a.status, a.header, a.body, want)
	}
	seen := 0
	err := r.client.Probe(t.Context(), twoAddresses, func(api.Probed) error { seen++; return nil })
	if !errors.Is(err, syscall.ENETDOWN) || seen != 1 {
		t.Errorf("client: %v after %d addresses, want ENETDOWN after 1", err, seen)
	}
}

// A caller that hangs up, and a server that stops, end the probing.
func TestProbeEnds(t *testing.T) {
	ended := make(chan error, 1)
	wait := func(ctx context.Context, q api.ProbeRequest, found func(api.Probed)) error {
		found(api.Probed{IP: q.IPs[0], Free: true})
		<-ctx.Done()
		ended <- ctx.Err()
		return fmt.Errorf("probing: %w", ctx.Err())
	}
	r := start(t, root)
	r.probe = wait
	enough := errors.New("enough")
	if err := r.client.Probe(t.Context(), twoAddresses, func(api.Probed) error { return enough }); err != enough {
		t.Errorf("Probe: %v, want the error of the caller", err)
	}
	<-ended

	stopped := make(chan error, 1)
	err := r.client.Probe(t.Context(), twoAddresses, func(api.Probed) error {
		go func() { r.stop(); stopped <- nil }()
		return nil
	})
	if !errors.Is(err, syscall.ESHUTDOWN) {
		t.Errorf("Probe while the server stops: %v, want ESHUTDOWN", err)
	}
	<-ended
	<-stopped
}

// Ten thousand addresses are no matter; a million are refused, and by their number.
func TestProbeMany(t *testing.T) {
	request := func(n int) (q api.ProbeRequest) {
		q.Interface = "eth0"
		for i := range n {
			q.IPs = append(q.IPs, netip.AddrFrom4([4]byte{198, byte(100 + i>>16), byte(i >> 8), byte(i)}))
		}
		return q
	}
	r := start(t, root)
	seen := 0
	if err := r.client.Probe(t.Context(), request(10_000), func(api.Probed) error { seen++; return nil }); err != nil || seen != 10_000 {
		t.Errorf("ten thousand: %v after %d", err, seen)
	}
	before := len(r.callsMade())
	for _, n := range []int{maxProbe + 1, 1_000_000} {
		err := r.client.Probe(t.Context(), request(n), func(api.Probed) error { return nil })
		if !errors.Is(err, syscall.EMSGSIZE) || !strings.Contains(fmt.Sprint(err), "more than 50000 addresses") {
			t.Errorf("%d addresses: %v", n, err)
		}
	}
	if calls := r.callsMade(); len(calls) != before {
		t.Errorf("reached the backend: %d calls", len(calls)-before)
	}
}
