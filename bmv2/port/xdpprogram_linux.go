package port

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// ErrNoXDP is reported where the kernel, the driver of an interface or the rights of the process do
// not allow AF_XDP sockets that see frames whole.
var ErrNoXDP = errors.New("no XDP here (valid are io=ring and io=socket)")

// Actions of XDP programs.
const (
	xdpDrop = 1
	xdpPass = 2
)

// xdpProgram hands all frames of an interface to AF_XDP sockets, one for each receive queue.
type xdpProgram struct {
	sockets *ebpf.Map // queue -> socket
	program *ebpf.Program
	link    link.Link
}

// attachXDP puts the program in force. Frames of queues without a socket go to the kernel.
//
// Only the driver's own XDP is used: before the generic one the kernel may have taken a VLAN tag out
// of a frame, and an AF_XDP socket is not told.
func attachXDP(index, queues int) (_ *xdpProgram, err error) {
	x := new(xdpProgram)
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%w: %w", ErrNoXDP, err), x.Close())
		}
	}()
	if x.sockets, err = ebpf.NewMap(&ebpf.MapSpec{
		Type: ebpf.XSKMap, KeySize: 4, ValueSize: 4, MaxEntries: uint32(queues),
	}); err != nil {
		return nil, fmt.Errorf("map of sockets: %w", err)
	}
	tagger, err := vlanFunction()
	if err != nil {
		return nil, err
	}
	if x.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "to_switch", Type: ebpf.XDP, License: "GPL", Ifindex: uint32(index),
		Flags:        unix.BPF_F_XDP_DEV_BOUND_ONLY,
		Instructions: xdpInstructions(x.sockets.FD(), tagger),
	}); err != nil {
		return nil, fmt.Errorf("xdp program: %w", err)
	}
	x.link, err = link.AttachXDP(link.XDPOptions{
		Program: x.program, Interface: index, Flags: link.XDPDriverMode,
	})
	if err != nil {
		return nil, fmt.Errorf("xdp program: %w", err)
	}
	return x, nil
}

// add has frames of a queue go to a socket.
func (x *xdpProgram) add(queue, socket int) error {
	if err := x.sockets.Put(uint32(queue), uint32(socket)); err != nil {
		return fmt.Errorf("map of sockets: %w", err)
	}
	return nil
}

func (x *xdpProgram) Close() error {
	var errs []error
	if x.link != nil {
		errs = append(errs, x.link.Close())
	}
	if x.program != nil {
		errs = append(errs, x.program.Close())
	}
	if x.sockets != nil {
		errs = append(errs, x.sockets.Close())
	}
	return errors.Join(errs...)
}

// vlanFunction finds the kernel function with which a program asks the driver for the VLAN tag that
// stands beside a frame; Linux has it since 6.8.
func vlanFunction() (btf.TypeID, error) {
	const name = "bpf_xdp_metadata_rx_vlan_tag"
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return 0, fmt.Errorf("types of the kernel (needs CONFIG_DEBUG_INFO_BTF): %w", err)
	}
	var f *btf.Func
	if err := kernel.TypeByName(name, &f); err != nil {
		return 0, fmt.Errorf("kernel function %s (since Linux 6.8): %w", name, err)
	}
	return kernel.TypeID(f)
}

// xdpInstructions is this program:
//
//	if (bpf_xdp_metadata_rx_vlan_tag(ctx, &protocol, &control) == 0) {
//		if (bpf_xdp_adjust_head(ctx, -4) != 0)
//			return XDP_DROP;
//		move the addresses, 12 bytes, to the new start;
//		put protocol, in network order, and control, in host order, behind them;
//	}
//	return bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_PASS);
func xdpInstructions(sockets int, tagger btf.TypeID) asm.Instructions {
	const (
		protocol, control              = -8, -16 // on the stack
		dataField, endField, queueAttr = 0, 4, 16
		addresses, tag                 = 12, 4
	)
	program := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.Mov.Imm(asm.R0, 0),
		asm.StoreMem(asm.R10, protocol, asm.R0, asm.DWord),
		asm.StoreMem(asm.R10, control, asm.R0, asm.DWord),
		asm.Mov.Reg(asm.R2, asm.R10), asm.Add.Imm(asm.R2, protocol),
		asm.Mov.Reg(asm.R3, asm.R10), asm.Add.Imm(asm.R3, control),
		{OpCode: asm.OpCode(asm.JumpClass).SetJumpOp(asm.Call), Src: asm.PseudoKfuncCall,
			Constant: int64(tagger)},
		asm.JNE.Imm(asm.R0, 0, "redirect"),

		asm.Mov.Reg(asm.R1, asm.R6), asm.Mov.Imm(asm.R2, -tag), asm.FnXdpAdjustHead.Call(),
		asm.JNE.Imm(asm.R0, 0, "drop"),
		asm.LoadMem(asm.R1, asm.R6, dataField, asm.Word),
		asm.LoadMem(asm.R2, asm.R6, endField, asm.Word),
		asm.Mov.Reg(asm.R3, asm.R1), asm.Add.Imm(asm.R3, addresses+tag),
		asm.JGT.Reg(asm.R3, asm.R2, "drop"),
	}
	for at := int16(0); at < addresses; at += 4 {
		program = append(program, asm.LoadMem(asm.R4, asm.R1, at+tag, asm.Word),
			asm.StoreMem(asm.R1, at, asm.R4, asm.Word))
	}
	return append(program,
		asm.LoadMem(asm.R4, asm.R10, protocol, asm.Half),
		asm.StoreMem(asm.R1, addresses, asm.R4, asm.Half),
		asm.LoadMem(asm.R4, asm.R10, control, asm.Half), asm.HostTo(asm.BE, asm.R4, asm.Half),
		asm.StoreMem(asm.R1, addresses+2, asm.R4, asm.Half),

		asm.LoadMem(asm.R2, asm.R6, queueAttr, asm.Word).WithSymbol("redirect"),
		asm.LoadMapPtr(asm.R1, sockets),
		asm.Mov.Imm(asm.R3, xdpPass), asm.FnRedirectMap.Call(), asm.Return(),

		asm.Mov.Imm(asm.R0, xdpDrop).WithSymbol("drop"), asm.Return(),
	)
}
