package test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// largestFile is the size that no tracked file may exceed, in bytes. Every clone has each version of a file.
const largestFile = 1 << 20

// TestNoProgramAndNoLargeFileIsTracked: a build in the root folder leaves a program there, and git add takes it.
func TestNoProgramAndNoLargeFileIsTracked(t *testing.T) {
	list, err := exec.Command("git", "-C", "..", "ls-files", "-z").Output()
	if err != nil {
		t.Skipf("git does not list the files of this folder, as in a copy of the sources without git: %v", err)
	}
	files := strings.Split(strings.TrimSuffix(string(list), "\x00"), "\x00")
	if len(files) < 100 {
		t.Fatalf("git lists only %d files: %q", len(files), files)
	}
	for _, name := range files {
		switch flaw, err := flawOf(filepath.Join("..", filepath.FromSlash(name))); {
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case flaw != "":
			t.Errorf("%s %s: git rm --cached it, and name it in .gitignore", name, flaw)
		}
	}
}

// flawOf says why a file is none to track; empty if it is one. A symbolic link, a file that somebody has just deleted and a
// submodule are none to look into.
func flawOf(path string) (string, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if info.Size() > largestFile {
		return "is larger than 1 MiB", nil
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	begin := make([]byte, 4)
	if n, err := io.ReadFull(f, begin); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	} else if bytes.Equal(begin[:n], []byte("\x7fELF")) {
		return "is a program", nil
	}
	return "", nil
}

func TestProgramsAndLargeFilesAreFound(t *testing.T) {
	dir := t.TempDir()
	for name, tt := range map[string]struct{ content, want string }{
		"a program":    {"\x7fELF\x02\x01", "is a program"},
		"a large file": {strings.Repeat("x", largestFile+1), "is larger than 1 MiB"},
		"a text":       {strings.Repeat("x", largestFile), ""},
		"a short text": {"\x7fE", ""},
		"empty":        {"", ""},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(tt.content), 0o644); err != nil {
			t.Fatal(err)
		}
		if flaw, err := flawOf(path); err != nil || flaw != tt.want {
			t.Errorf("%s: %q, %v; want %q", name, flaw, err, tt.want)
		}
	}
}
