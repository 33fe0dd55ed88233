//go:build linux

package guard

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// refusal is what the kernel said no to.
type refusal struct {
	command uint16 // NFT_MSG_*, or noCommand
	err     error  // the kernel's errno and text
}

// noCommand stands for the batch as a whole: the kernel did not look into it, or
// could not apply it at the end.
const noCommand = 0xffff

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// commit sends the batch and waits for the kernel's word. A refused batch, of
// which nothing was applied, gives a [*refusal] with the first thing refused.
//
// The kernel answers a batch before sendmsg(2) returns, with one acknowledgement
// or error for each command, in order. If it refuses the batch as a whole, there
// is one error for the message that begins it, and nothing else or, when it failed
// at the very end, the answers to the commands after that. Those are still queued
// when the next exchange begins, which tells them by their sequence numbers.
func (b *batch) commit(conn *netlink.Conn) error {
	if b.err != nil {
		return b.err
	}
	boundary := func(kind netlink.HeaderType) netlink.Message {
		return netlink.Message{
			Header: netlink.Header{Type: kind, Flags: netlink.Request},
			Data:   header(unix.AF_UNSPEC, unix.NFNL_SUBSYS_NFTABLES),
		}
	}
	messages := []netlink.Message{boundary(unix.NFNL_MSG_BATCH_BEGIN)}
	messages = append(messages, b.commands...)
	messages = append(messages, boundary(unix.NFNL_MSG_BATCH_END))
	sent, err := conn.SendMessages(messages)
	if err != nil {
		return err
	}

	begin := sent[0].Header.Sequence
	last := uint32(len(b.commands)) // counted from begin, as position is below
	var first error
	for {
		sequence, err := receive(conn)
		position := sequence - begin
		switch {
		case sequence == 0:
			return err // of the socket
		case position > last:
			continue // left over from an earlier batch
		case position == 0:
			return &refusal{noCommand, err}
		case err != nil && first == nil:
			first = &refusal{uint16(b.commands[position-1].Header.Type) & 0xff, err}
		}
		if position == last {
			return first
		}
	}
}

// receive reads one answer and returns the sequence number of what it answers,
// or 0 and an error if there was none to read.
func receive(conn *netlink.Conn) (sequence uint32, err error) {
	messages, err := conn.Receive()
	var answer *netlink.OpError
	if errors.As(err, &answer) && answer.Sequence != 0 {
		return answer.Sequence, err
	}
	if err != nil {
		return 0, err
	}
	if len(messages) == 0 {
		return 0, errors.New("an empty answer from the kernel")
	}
	return messages[0].Header.Sequence, nil
}

// request asks for something outside a batch and returns the messages of the
// answer.
func request(conn *netlink.Conn, family uint8, command uint16, flags netlink.HeaderFlags, attributes func(*netlink.AttributeEncoder)) ([]netlink.Message, error) {
	data, err := encode(attributes)
	if err != nil {
		return nil, fmt.Errorf("encoding nf_tables message %d: %w", command, err)
	}
	sent, err := conn.Send(netlink.Message{
		Header: netlink.Header{
			Type:  netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | command),
			Flags: netlink.Request | flags,
		},
		Data: append(header(family, 0), data...),
	})
	if err != nil {
		return nil, err
	}
	for {
		messages, err := conn.Receive()
		var answer *netlink.OpError
		if errors.As(err, &answer) && answer.Sequence != 0 && answer.Sequence != sent.Header.Sequence {
			continue // left over from an earlier batch
		}
		if err != nil {
			return nil, err
		}
		if len(messages) > 0 && messages[0].Header.Sequence != sent.Header.Sequence {
			continue
		}
		return messages, nil
	}
}

// decode returns the attributes of a message, after struct nfgenmsg.
func decode(m netlink.Message) (*netlink.AttributeDecoder, error) {
	const headerLen = 4
	if len(m.Data) < headerLen {
		return nil, fmt.Errorf("nf_tables message of %d bytes is too short", len(m.Data))
	}
	a, err := netlink.NewAttributeDecoder(m.Data[headerLen:])
	if err != nil {
		return nil, err
	}
	a.ByteOrder = binary.BigEndian
	return a, nil
}
