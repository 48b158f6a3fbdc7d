package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/file"
	"wso2agent/internal/wso2"
)

// secretLimit is the most that a password or a token may have, in bytes. A JWT with all scopes of IS has some 16 KiB.
const secretLimit = 64 << 10

// terminal returns the terminal that the input of a command is; ok is false if it is none.
func terminal(cmd *cobra.Command) (fd int, ok bool) {
	f, isFile := cmd.InOrStdin().(*os.File)
	if !isFile {
		return 0, false
	}
	return int(f.Fd()), term.IsTerminal(int(f.Fd()))
}

// readSecret reads a secret from the standard input: its content without the line break at its end. On a terminal it asks for the secret,
// and the terminal does not show what a person types.
func readSecret(cmd *cobra.Command, what string) (wso2.Secret, error) {
	text, err := []byte(nil), error(nil)
	if fd, ok := terminal(cmd); ok {
		text, err = askTerminal(cmd, fd, what)
	} else {
		text, err = io.ReadAll(io.LimitReader(cmd.InOrStdin(), secretLimit+1))
	}
	return secretOf(text, err, what, "the standard input")
}

// askTerminal reads a line from a terminal that does not show it. If the command is stopped meanwhile, the terminal shows again what is
// typed.
func askTerminal(cmd *cobra.Command, fd int, what string) ([]byte, error) {
	state, err := term.GetState(fd)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "enter the %s: ", what)
	defer fmt.Fprintln(cmd.ErrOrStderr()) // in place of the line break that a person types
	type line struct {
		text []byte
		err  error
	}
	lines := make(chan line, 1)
	go func() {
		text, err := term.ReadPassword(fd)
		lines <- line{text, err}
	}()
	select {
	case l := <-lines:
		return l.text, l.err
	case <-cmd.Context().Done():
		return nil, errors.Join(cmd.Context().Err(), term.Restore(fd, state))
	}
}

// readSecretFile reads a secret from the file at path, or from the standard input for "-" and for no path.
func readSecretFile(cmd *cobra.Command, what, path string) (wso2.Secret, error) {
	if path == "" || path == "-" {
		return readSecret(cmd, what)
	}
	text, err := file.Read(path, secretLimit)
	return secretOf(text, err, what, path)
}

// secretOf takes the line break off a secret, and checks it. No error shows it.
func secretOf(text []byte, err error, what, from string) (wso2.Secret, error) {
	text = bytes.TrimRight(text, "\r\n")
	switch {
	case errors.Is(err, context.Canceled):
		return "", err
	case errors.Is(err, fs.ErrNotExist): // a person has named it
		return "", bootstrap.Permanent(fmt.Errorf("read the %s from %s: %w", what, from, err))
	case err != nil:
		return "", fmt.Errorf("read the %s from %s: %w", what, from, err)
	case len(text) == 0:
		return "", fmt.Errorf("read the %s from %s: it is empty", what, from)
	case len(text) > secretLimit:
		return "", fmt.Errorf("read the %s from %s: it is larger than %d KiB", what, from, secretLimit>>10)
	}
	return wso2.Secret(text), nil
}
