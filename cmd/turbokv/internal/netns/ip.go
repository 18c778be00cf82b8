package netns

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
)

// run runs a command that says something only when it fails.
func run(words ...string) error { return runWith("", words...) }

// ip runs the ip command.
func ip(words ...string) error { return run(append([]string{"ip"}, words...)...) }

func runWith(input string, words ...string) error {
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(words, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// batch runs many ip commands, in a namespace if one is named.
func batch(namespace string, commands []string) error {
	if len(commands) == 0 {
		return nil
	}
	words := []string{"ip"}
	if namespace != "" {
		words = append(words, "-n", namespace)
	}
	text := strings.Join(commands, "\n") + "\n"
	if err := runWith(text, append(words, "-batch", "-")...); err != nil {
		return fmt.Errorf("%w, of:\n%s", err, text)
	}
	return nil
}
