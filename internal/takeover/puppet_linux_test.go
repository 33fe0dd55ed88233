package takeover

import (
	"net/netip"
	"sync"

	"github.com/isat-project/isat/host"
)

// puppet is an interface of the host of which the test says what becomes of addresses.
type puppet struct {
	*host.Interface
	mu   sync.Mutex
	says map[netip.Addr]host.OwnAddress
}

// OwnAddress returns what the test said last, else what the host says.
func (p *puppet) OwnAddress(ip netip.Addr) (host.OwnAddress, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if own, ok := p.says[ip]; ok {
		return own, true
	}
	return p.Interface.OwnAddress(ip)
}

// say has the puppet say this from now on.
func (p *puppet) say(own host.OwnAddress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.says[own.Address.Prefix.Addr()] = own
}
