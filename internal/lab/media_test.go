package lab

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/isat-project/isat/link"
	"github.com/isat-project/isat/link/pcap"
)

// TestMedia plays the media and reads the recordings back: of ARCnet there are
// whole packets in it.
func TestMedia(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	dir := t.TempDir()
	o := Options{Once: true, RequireAll: true, Scenarios: []string{mediaName}, Stdout: &out, Pcap: dir}
	ok, err := o.play(context.Background(), o.playMedia)
	if !ok || err != nil {
		t.Fatalf("ok %v, error %v\n%s", ok, err, &out)
	}
	for _, want := range []string{
		"isat has 192.0.2.9 at 02:00:00:00:00:09\n",
		"isat has 192.0.2.32 at 02:00:00:00:00:20 rt=690:11:20\n",
		"isat has 192.0.2.9 at 09\n",
		"  arp  who-has 192.0.2.9 tell 192.0.2.1 (from 01)\n",
		"  ip   fragment of 510 bytes, split flag 3 (from 01 to 09)\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the story lacks %q\n%s", want, &out)
		}
	}
	for _, tt := range []struct {
		name     string
		linkType uint32
		framing  link.Framing
		frames   int
	}{
		{"media-ethernet.pcap", pcap.LinkTypeEthernet, link.Ethernet{}, 6},
		{"media-token-ring.pcap", pcap.LinkTypeIEEE8025, link.TokenRing{}, 10},
		{"media-arcnet.pcap", pcap.LinkTypeARCnet, link.ARCnet{}, 6},
	} {
		f, err := os.Open(filepath.Join(dir, tt.name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r, err := pcap.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		if r.LinkType() != tt.linkType {
			t.Errorf("%s: link type %d, want %d", tt.name, r.LinkType(), tt.linkType)
		}
		frames := 0
		for ; ; frames++ {
			_, b, err := r.ReadFrame()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := tt.framing.Parse(b); err != nil {
				t.Errorf("%s: frame %d: %v", tt.name, frames, err)
			}
		}
		if frames != tt.frames {
			t.Errorf("%s: %d frames, want %d", tt.name, frames, tt.frames)
		}
	}
}

// TestMediaSeen shows that a story with a frame too many, or none, fails.
func TestMediaSeen(t *testing.T) {
	t.Parallel()
	story := newStory(outline{mediaName, ""}, io.Discard)
	m := media()[0]
	m.frames = 3
	if err := (Options{}).playMedium(context.Background(), story, m); err != nil {
		t.Fatal(err)
	}
	if len(story.wrong) != 1 || story.wrong[0] != "there and back: 2 frames" {
		t.Errorf("what is wrong: %q", story.wrong)
	}
}
