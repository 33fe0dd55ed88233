//go:build !linux

package ioctl

import (
	"errors"
	"fmt"
	"time"
)

// Conn is a connection to ioctl.sock, which needs Linux.
type Conn struct{}

var errSystem = fmt.Errorf("ARP ioctls need Linux: %w", errors.ErrUnsupported)

// Dial needs Linux.
func Dial(string) (*Conn, error) { return nil, errSystem }

// Do needs Linux.
func (*Conn) Do(Command, uint32, []byte) ([]byte, error) { return nil, errSystem }

// SetDeadline needs Linux.
func (*Conn) SetDeadline(time.Time) error { return errSystem }

// Close needs Linux.
func (*Conn) Close() error { return errSystem }
