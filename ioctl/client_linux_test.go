package ioctl

import (
	"errors"
	"net"
	"path/filepath"
	"syscall"
	"testing"
)

// TestClient has a server that answers GETs with the struct it got, other requests
// with an errno, and one request with nonsense.
func TestClient(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sock")
	l, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		for b := make([]byte, MaxRequest); ; {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			r, err := ParseRequest(b[:n])
			answer := Answer{Errno: syscall.ENXIO}.AppendTo(nil)
			switch {
			case err != nil || r.Family == 99:
				answer = []byte("nonsense")
			case r.Command.Operation() == Get:
				answer = Answer{Arg: r.Arg}.AppendTo(nil)
			}
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
	}()
	c, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := XARPReq{Family: AFInet, IP: ip9}
	for range 2 { // the connection goes on after errors
		if got, err := c.Do(SIOCGXARP, AFInet, r.AppendTo(nil)); err != nil || len(got) != XARPReqLen {
			t.Errorf("GET: %d bytes, %v", len(got), err)
		}
		if _, err := c.Do(SIOCDXARP, AFInet, r.AppendTo(nil)); !errors.Is(err, syscall.ENXIO) {
			t.Errorf("DELETE: %v", err)
		}
		if _, err := c.Do(SIOCSXARP, 99, nil); !errors.Is(err, syscall.EPROTO) {
			t.Errorf("nonsense: %v", err)
		}
	}
	if _, err := Dial(path + "x"); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("no socket: %v", err)
	}
}
