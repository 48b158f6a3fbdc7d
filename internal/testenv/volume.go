package testenv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// KubernetesVolume is a folder that changes as kubelet changes the volume of a ConfigMap or a Secret, step by step as its
// AtomicWriter does (pkg/volume/util/atomic_writer.go of Kubernetes): each version is a folder of its own, the link ..data
// is swapped from one to the next, and what users see are links through it.
type KubernetesVolume struct{ Dir string }

// Write makes a further version with these files, by path below the volume, and removes the one before.
func (v KubernetesVolume) Write(t testing.TB, files map[string]string) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(v.Dir, 0o755))
	data := filepath.Join(v.Dir, "..data")
	before, _ := os.Readlink(data)
	version, err := os.MkdirTemp(v.Dir, time.Now().UTC().Format("..2006_01_02_15_04_05."))
	must(err)
	must(os.Chmod(version, 0o755))
	visible := map[string]bool{}
	for name, content := range files {
		path := filepath.Join(version, name)
		must(os.MkdirAll(filepath.Dir(path), 0o755))
		must(os.WriteFile(path, []byte(content), 0o644))
		visible[strings.Split(name, "/")[0]] = true
	}
	must(os.Symlink(filepath.Base(version), filepath.Join(v.Dir, "..data_tmp")))
	must(os.Rename(filepath.Join(v.Dir, "..data_tmp"), data))
	for name := range visible {
		if link := filepath.Join(v.Dir, name); !exists(link) {
			must(os.Symlink(filepath.Join("..data", name), link))
		}
	}
	entries, err := os.ReadDir(v.Dir)
	must(err)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "..") && !visible[e.Name()] {
			must(os.Remove(filepath.Join(v.Dir, e.Name())))
		}
	}
	if before != "" {
		must(os.RemoveAll(filepath.Join(v.Dir, before)))
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
