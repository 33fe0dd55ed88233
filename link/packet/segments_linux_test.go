package packet_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/isat-project/isat/internal/ip4"
	"github.com/isat-project/isat/link/packet"
)

// A kernel leaves segmentation and checksums of what it sends over veth to the
// wire, which there is not: the reader gets sound frames all the same, and IPv6
// not at all.
func TestReadSegments(t *testing.T) {
	c := newCable(t)
	a := listen(t, c.a, packet.Options{IP: true})
	address, err := netlink.ParseAddr("192.0.2.2/24")
	must(t, err)
	must(t, netlink.AddrAdd(c.b, address))
	must(t, netlink.NeighAdd(&netlink.Neigh{
		LinkIndex: c.b.Attrs().Index, IP: net.IPv4(192, 0, 2, 1), HardwareAddr: macA.HardwareAddr(), State: netlink.NUD_PERMANENT,
	}))
	s, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9})
	must(t, err)
	defer s.Close()
	raw, err := s.SyscallConn()
	must(t, err)
	var set error
	must(t, raw.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT, 1000) }))
	must(t, set)
	sent := bytes.Repeat([]byte("0123456789abcdef"), 10_500/16)
	for range 3 {
		_, err = s.Write(sent)
		must(t, err)
	}
	var got []byte
	for len(got) < 3*len(sent) {
		for _, f := range read(t, a, 1) {
			h, err := ip4.Parse(f[14:])
			if err != nil || h.Protocol != ip4.UDP {
				t.Fatalf("frame %x: %+v, %v", f, h, err)
			}
			datagram := f[14+h.Len:]
			if len(datagram) > 8+1000 || ip4.Checksum(datagram, ip4.PseudoSum(f[14:], ip4.UDP, len(datagram))) != 0 {
				t.Errorf("datagram of %d bytes is not sound", len(datagram))
			}
			got = append(got, datagram[8:]...)
		}
	}
	if !bytes.Equal(got, bytes.Repeat(sent, 3)) {
		t.Error("the data is not what was sent")
	}
	// As many as there is room for, though there are more.
	_, err = s.Write(sent)
	must(t, err)
	few := make([][]byte, 3)
	for total := 0; total < 11; {
		n, err := a.ReadFrames(few)
		must(t, err)
		total += n
	}
}

// Segments of a connection go to the interface as one frame; what is between them
// keeps its place.
func TestWriteSegments(t *testing.T) {
	c := newCable(t)
	a := listen(t, c.a, packet.Options{IP: true})
	b := listen(t, c.b, packet.Options{Protocol: unix.ETH_P_ALL, FrameSize: 1 << 16})
	tcp := func(i int) []byte {
		segment := binary.BigEndian.AppendUint32([]byte{0, 9, 0, 9}, uint32(i*1400))
		segment = append(segment, 0, 0, 0, 1, 0x50, 0x10, 1, 0, 0, 0, 0, 0)
		segment = append(segment, bytes.Repeat([]byte{byte(i)}, 1400)...)
		p := append([]byte("\x45\x00\x00\x00\x00\x00\x40\x00\x40\x06\x00\x00\xc0\x00\x02\x01\xc0\x00\x02\x02"), segment...)
		ip4.SetTotalLen(p, uint16(len(p)), 0)
		binary.BigEndian.PutUint16(p[36:], ip4.Checksum(p[20:], ip4.PseudoSum(p, ip4.TCP, len(segment))))
		return append(append(macA.AppendBytes(macB.AppendBytes(nil)), typeIPv4...), p...)
	}
	var frames [][]byte
	for i := range 30 {
		frames = append(frames, tcp(i))
	}
	frames = append(frames, numbered(7), tcp(30), tcp(31))
	write(t, a, frames...)
	var lengths []int
	for _, f := range read(t, b, 3) {
		lengths = append(lengths, len(f))
	}
	if want := []int{54 + 30*1400, 60, 54 + 2*1400}; lengths[0] != want[0] || lengths[1] != want[1] || lengths[2] != want[2] {
		t.Errorf("frames of %v bytes, want %v", lengths, want)
	}
	if st := a.Stats(); st.Sent != 3 {
		t.Errorf("%d frames sent, want 3", st.Sent)
	}
}
