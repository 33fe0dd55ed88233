package packet

import (
	"encoding/binary"
	"fmt"
	"slices"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// keep is what a filter returns to keep a frame whole: more than any length.
const keep = 1<<32 - 1

// filter keeps the frames of the protocols. It asks the kernel for the protocol
// instead of reading the EtherType, because that is right for every medium and
// every place of a VLAN tag. Frames with a tag are kept: a counter that says why
// nobody answers them is worth more than the wake-ups.
func filter(protocols ...uint16) []bpf.Instruction {
	if slices.Contains(protocols, unix.ETH_P_ALL) {
		return []bpf.Instruction{bpf.RetConstant{Val: keep}}
	}
	program := []bpf.Instruction{bpf.LoadExtension{Num: bpf.ExtProto}}
	for _, p := range protocols {
		program = append(program,
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(p), SkipFalse: 1},
			bpf.RetConstant{Val: keep})
	}
	return append(program, bpf.RetConstant{Val: 0})
}

// attachFilter sets the filter of the socket.
func attachFilter(fd int, protocols ...uint16) error {
	program, err := bpf.Assemble(filter(protocols...))
	if err != nil {
		return fmt.Errorf("assembling the filter: %w", err)
	}
	code := make([]unix.SockFilter, len(program))
	for i, in := range program {
		code[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{
		Len:    uint16(len(code)),
		Filter: &code[0],
	}); err != nil {
		return fmt.Errorf("setting SO_ATTACH_FILTER: %w", err)
	}
	return nil
}

// networkOrder returns v as it is in memory in network byte order.
func networkOrder(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}
