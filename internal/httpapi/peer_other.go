//go:build !linux

package httpapi

import (
	"errors"
	"net"
)

// PeerCredentials needs Linux; callers whom the system does not name may read
// what is open to all and nothing else.
func PeerCredentials(net.Conn) (Credentials, error) {
	return Credentials{}, errors.New("peer credentials of a socket: needs Linux")
}
