// Command make-volumes makes the volumes in test/upgrade/testdata with the agent and the stand-ins of an earlier commit:
//
//	go run ./test/upgrade/make-volumes e196683
//
// It needs git, a POSIX shell, and the ports from 13000 on. Run it at the top of the repository, with the commit of the last
// release, whenever there is one. Nothing in the archives depends on the machine or on the day: the certificates are valid for
// decades, and no file holds a path.
package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"wso2agent/test/upgrade"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: make-volumes COMMIT")
		os.Exit(64)
	}
	if err := run(ctx, os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "make-volumes:", err)
		os.Exit(1)
	}
}

// run makes all archives in a temporary folder, and puts them in place when all are made.
func run(ctx context.Context, commit string) error {
	dir, err := os.MkdirTemp("", "make-volumes-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	programs := filepath.Join(dir, "programs")
	hash, err := upgrade.Build(ctx, commit, programs)
	if err != nil {
		return err
	}
	for _, s := range upgrade.States {
		if err := makeState(ctx, s, filepath.Join(dir, s.Name), programs); err != nil {
			return fmt.Errorf("make %s: %w", s.Name, err)
		}
	}
	const testdata = "test/upgrade/testdata"
	for _, s := range upgrade.States {
		if err := upgrade.Pack(filepath.Join(dir, s.Name), filepath.Join("test/upgrade", s.Archive())); err != nil {
			return fmt.Errorf("pack %s: %w", s.Name, err)
		}
	}
	return os.WriteFile(filepath.Join(testdata, "COMMIT"), []byte(hash+"\n"), 0o644)
}

// makeState makes the volumes of one state in dir.
func makeState(ctx context.Context, s upgrade.State, dir, programs string) error {
	w := s.World(dir, filepath.Join(programs, "agent"), filepath.Join(programs, "wso2sim"))
	m := maker{ctx, w}
	defer w.Stop()
	err := m.layOut()
	if err == nil {
		err = makers[s.Name](m)
	}
	if err != nil {
		logs, _ := filepath.Glob(filepath.Join(dir, "logs", "*"))
		for _, path := range logs {
			text, _ := os.ReadFile(path)
			fmt.Fprintf(os.Stderr, "--- %s\n%s", filepath.Base(path), text)
		}
		return err
	}
	w.Stop()
	fmt.Println("made", s.Name)
	if err := os.RemoveAll(filepath.Join(dir, "logs")); err != nil {
		return err
	}
	return withoutPaths(dir)
}

// withoutPaths returns an error if a file names the folder that it lies in now.
func withoutPaths(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil && bytes.Contains(data, []byte(dir)) {
			return fmt.Errorf("%s names %s, which is nowhere else", strings.TrimPrefix(path, dir), dir)
		}
		return err
	})
}

// shell is a command that runs a script before it becomes the server.
func shell(script string) []string { return []string{"sh", "-c", script + "\nexec \"$@\"", "sh"} }
