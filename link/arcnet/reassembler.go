package arcnet

import (
	"time"

	"github.com/isat-project/isat/link/internal/rfc1201"
)

// Timeout is how long the fragments of a packet are kept after the first. No
// standard names a time. The frames of a packet follow each other: this is long
// beside that, and short beside the 65,536 packets after which a station uses a
// sequence number again.
const Timeout = 2 * time.Second

// Reassembler puts the fragments of packets together. As a station sends the
// fragments of one packet after those of another, it holds one unfinished packet
// for each of at most 256 stations. It is not safe for concurrent use.
type Reassembler struct {
	limit   int
	packets map[byte]*unfinished // by source
	stats   Stats
}

// Stats counts what became of fragments.
type Stats struct {
	Packets    uint64 // that became whole
	Duplicates uint64 // fragments that were there already
	Dropped    uint64 // fragments that became part of no packet
}

// unfinished is a packet of which fragments are missing.
type unfinished struct {
	rfc1201.Header           // of the first fragment
	flag           byte      // the split flag of the latest, 0 for the first
	started        time.Time // when the first came
	frame          []byte    // the packet up to here, in a frame without split flag
	fragments      uint64    // how many that is
}

// NewReassembler makes a Reassembler for packets of at most limit bytes, which is
// the MTU of the network. With that it never holds more than 256 times the limit.
func NewReassembler(limit int) *Reassembler {
	return &Reassembler{limit: limit, packets: make(map[byte]*unfinished)}
}

// Stats returns the counters.
func (r *Reassembler) Stats() Stats { return r.stats }

// Add takes a frame that came in at the time now. What is not a fragment it
// returns as it is. For the last fragment of a packet it returns a new frame with
// all of it, for other fragments nil. It does not keep frame.
//
// Fragments come in order. One that came already is ignored: a station sends
// again what was not acknowledged. One that is missing, or another packet of the
// same station, is the end of an unfinished packet.
func (r *Reassembler) Add(now time.Time, frame []byte) []byte {
	h, data, ok := rfc1201.Parse(frame)
	if !ok {
		return frame
	}
	r.expire(now)
	switch {
	case h.Flag == 0:
		r.drop(h.Source)
		return frame
	case h.Flag&1 != 0:
		r.begin(now, h, data)
		return nil
	}
	return r.next(h, data)
}

// begin takes the first fragment of a packet.
func (r *Reassembler) begin(now time.Time, h rfc1201.Header, data []byte) {
	if p := r.packets[h.Source]; p != nil && p.Header == h && p.flag == 0 {
		r.stats.Duplicates++
		return
	}
	r.drop(h.Source)
	if h.Flag > firstFlag(maxFragments) || len(data) > r.limit {
		r.stats.Dropped++
		return
	}
	whole := h
	whole.Flag = 0
	r.packets[h.Source] = &unfinished{Header: h, started: now, frame: append(whole.AppendTo(nil), data...), fragments: 1}
}

// next takes a later fragment. It returns the packet if that is whole now.
func (r *Reassembler) next(h rfc1201.Header, data []byte) []byte {
	p := r.packets[h.Source]
	if p == nil {
		r.stats.Dropped++
		return nil
	}
	of := h
	of.Flag = p.Flag
	switch {
	case of == p.Header && h.Flag <= p.flag:
		r.stats.Duplicates++
		return nil
	case of != p.Header || h.Flag != p.flag+2 || len(p.frame)+len(data) > rfc1201.HeaderLen+r.limit:
		r.drop(h.Source)
		r.stats.Dropped++
		return nil
	}
	p.flag = h.Flag
	p.frame = append(p.frame, data...)
	p.fragments++
	if p.flag != p.Flag+1 {
		return nil
	}
	delete(r.packets, h.Source)
	r.stats.Packets++
	return p.frame
}

// drop gives the unfinished packet of a source up, if there is one.
func (r *Reassembler) drop(source byte) {
	if p := r.packets[source]; p != nil {
		r.stats.Dropped += p.fragments
		delete(r.packets, source)
	}
}

// expire gives the packets up that are unfinished for too long.
func (r *Reassembler) expire(now time.Time) {
	for source, p := range r.packets {
		if now.Sub(p.started) > Timeout {
			r.drop(source)
		}
	}
}
