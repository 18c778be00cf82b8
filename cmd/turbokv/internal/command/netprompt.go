package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/term"

	"github.com/turbokv/turbokv/cmd/turbokv/internal/netns"
)

// withHangup returns a context that ends also when the terminal goes.
func withHangup(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, syscall.SIGHUP)
}

// stay returns when a network is to end: when it is asked to, at ctrl-C, or when somebody leaves its
// prompt.
func (a *app) stay(ctx context.Context, n *netns.Net, prompt bool) error {
	if in, ok := a.In.(*os.File); !prompt || !ok || !term.IsTerminal(int(in.Fd())) {
		fmt.Fprintln(a.Out, "ctrl-C ends it.")
		<-ctx.Done()
		return nil
	}
	fmt.Fprintln(a.Out, "exit, ctrl-D or ctrl-C end it.")
	signal.Reset(os.Interrupt) // main ends everything with it; here it may be meant for a command
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	return a.prompt(ctx, n, interrupts)
}

// prompt reads lines and runs them as arguments of `turbokv net`.
func (a *app) prompt(ctx context.Context, n *netns.Net, interrupts <-chan os.Signal) error {
	lines := make(chan string)
	next := make(chan struct{})
	defer close(next)
	go func() { // ends with next, or blocked in the terminal for good
		defer close(lines)
		in := bufio.NewReader(a.In)
		for range next {
			line, err := in.ReadString('\n')
			if err != nil && (line == "" || !errors.Is(err, io.EOF)) {
				return
			}
			lines <- line
		}
	}()
	for {
		fmt.Fprint(a.Out, "turbokv> ")
		next <- struct{}{}
		select {
		case <-ctx.Done():
			return nil
		case <-interrupts:
			fmt.Fprintln(a.Out)
			return nil
		case line, ok := <-lines:
			if !ok {
				fmt.Fprintln(a.Out)
				return nil
			}
			if end := a.obey(ctx, n, line, interrupts); end {
				return nil
			}
		}
	}
}

// obey runs one line of the prompt. It reports whether the line asks to leave.
func (a *app) obey(
	ctx context.Context, n *netns.Net, line string, interrupts <-chan os.Signal,
) (end bool) {
	words, err := splitWords(line)
	switch {
	case err != nil:
		fmt.Fprintf(a.Err, "turbokv: %v\n", err)
		return false
	case len(words) == 0:
		return false
	case words[0] == "exit" || words[0] == "quit":
		return true
	}
	args := append([]string{"net", words[0], "--run", n.Plan().Path()}, words[1:]...)
	if words[0] == "help" && len(words) == 1 {
		a.promptHelp()
		return false
	} else if words[0] == "help" {
		args = append(append([]string{"net"}, words[1:]...), "--help")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		Run(ctx, args, a.Streams)
	}()
	for {
		select {
		case <-done:
			return false
		case <-interrupts:
			cancel()
		}
	}
}

// promptHelp lists what can be said at the prompt.
func (a *app) promptHelp() {
	var rows [][]string
	for _, c := range a.netCommand().Commands() {
		use, _, _ := strings.Cut(c.Use, " | ")
		rows = append(rows, []string{use, c.Short})
	}
	rows = append(rows, []string{"help COMMAND", "More on one of them"}, []string{"exit", "End the network"})
	_ = table(a.Out, "SAY TO", rows) // the terminal may have gone
}

// splitWords cuts a line into words as a shell does: at spaces, but for those in quotes or behind a
// backslash.
func splitWords(line string) (words []string, err error) {
	var word strings.Builder
	var quote rune
	begun, escaped := false, false
	for _, r := range strings.TrimRight(line, "\r\n") {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			begun, escaped = true, true
		case r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			begun, quote = true, r
		case r == ' ' || r == '\t':
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if quote != 0 || escaped {
		return nil, errors.New("the line ends within quotes")
	}
	if begun {
		words = append(words, word.String())
	}
	return words, nil
}
