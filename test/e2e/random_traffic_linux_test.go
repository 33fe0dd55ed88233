package e2e

import "net"

// send sends a packet from isat's host, which asks for the address.
func (w *world) send(hosts []int) {
	p := w.net().at(pick(w, hosts))
	_, err := w.udp.WriteTo([]byte("x"), &net.UDPAddr{IP: net.ParseIP(p.ip), Port: 9})
	w.say("a packet to %s: %v", p.ip, err)
}

// sendBack sends one from the peer, which asks for isat.
func (w *world) sendBack() {
	n := w.net()
	if w.random.IntN(2) == 0 {
		w.peer.Run("ip", "neigh", "flush", "dev", n.name)
	}
	_, err := w.back.WriteTo([]byte("x"), &net.UDPAddr{IP: net.ParseIP(n.at(1).ip), Port: 9})
	w.say("a packet from the peer to %s: %v", n.at(1).ip, err)
}

// peerMoves gives the peer another MAC, which it announces.
func (w *world) peerMoves() {
	n := w.net()
	n.peerMAC = w.newMAC()
	w.say("peer: ip link set %s address %s; announces", n.name, n.peerMAC)
	w.peer.Must("ip", "link", "set", n.name, "address", n.peerMAC)
	for _, host := range peers {
		p := n.at(host)
		if n.running() {
			n.announce(p.ip, n.peerMAC)
		}
		if f := w.fact(p); f.kind == either {
			f.mac = ""
			if n.running() && w.active(n) {
				f.mac = n.peerMAC
			}
			w.put(p, f)
		}
	}
}

// announce sends an announcement from the peer's end.
func (n *network) announce(ip, mac string) {
	n.wire.Frames() // takes the error of the link that was down, and keeps the buffer empty
	n.wire.Send(request(ip, mac, ip))
}

// claim is an announcement by a stranger. What is not permanent follows it.
func (w *world) claim() {
	n := w.net()
	if !n.running() {
		return
	}
	p, mac := n.at(pick(w, nobodys)), w.newMAC()
	w.say("%s is announced on %s", p, mac)
	n.announce(p.ip, mac)
	switch f := w.fact(p); f.kind {
	case temporary, dynamic, either:
		if !f.ordered() {
			f.mac = mac
			w.put(p, f)
		}
	case absent: // a request may wait for it, and has an answer now
		w.put(p, fact{kind: either, mac: mac})
	}
}
