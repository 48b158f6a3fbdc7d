package file

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"wso2agent/internal/testenv"
)

// The lists of the kernel in containers of Docker with Compose, and in a container of a pod.
const mountinfo = `
292 281 0:52 / / rw,relatime - overlay overlay rw,lowerdir=/l/A:/l/B,upperdir=/u,workdir=/w
293 292 0:55 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
309 292 254:0 /home/me/api\040config.yaml /config/api\040config.yaml ro,relatime - ext4 /dev/vda rw
310 292 254:0 /home/me/secrets/am-admin-pass//deleted /run/secrets/am-admin-pass ro,relatime - ext4 /dev/vda rw
311 292 254:0 /var/lib/docker/volumes/exchange/_data /exchange rw,relatime master:1 - ext4 /dev/vda rw
312 292 254:0 /var/lib/kubelet/pods/7d/volumes/kubernetes.io~configmap/api /whole ro,relatime - ext4 /dev/vda rw
313 292 0:60 / /secret ro,relatime - tmpfs tmpfs rw,size=24684092k
314 292 254:0 /var/lib/kubelet/pods/7d/volumes/kubernetes.io~configmap/api/..2026_11_22_12_00_00.2398471/api-config.yaml /sub/api-config.yaml ro,relatime - ext4 /dev/vda rw
315 292 0:60 /..2026_11_22_12_00_00.713/am-admin-pass//deleted /sub/am-admin-pass ro,relatime - tmpfs tmpfs rw
316 292 0:60 /..2026_11_22_12_00_00.713/folder /sub/folder ro,relatime - tmpfs tmpfs rw
317 292 254:0 /var/lib/kubelet/pods/7d/volumes/kubernetes.io~empty-dir/work/config /sub/work rw,relatime - ext4 /dev/vda rw
318 292 254:0 /data/..2026/backup /odd rw,relatime - ext4 /dev/vda rw
319 292 254:0 /srv/a\134b /back\134slash rw,relatime - ext4 /dev/vda rw
320 292 254:0 /srv/first /twice rw,relatime - ext4 /dev/vda rw
321 320 254:0 /..2026_11_22_12_00_00.713/second /twice rw,relatime - ext4 /dev/vda rw
a line that ends too soon
`

func TestHowAFileIsMountedIsReadFromTheListOfMounts(t *testing.T) {
	mounts := parseMounts(mountinfo)
	for _, c := range []struct {
		name, path string
		want       Mounting
	}{
		{"a single file, with a space in its name", "/config/api config.yaml", SingleFile},
		{"a secret of Compose's, replaced already", "/run/secrets/am-admin-pass", SingleFile},
		{"a file on a named volume", "/exchange/wso2is/certs.pem", Followed},
		{"a file in a whole ConfigMap", "/whole/api-config.yaml", Followed},
		{"a file in a whole Secret", "/secret/am-admin-pass", Followed},
		{"a ConfigMap's file by subPath", "/sub/api-config.yaml", SubPath},
		{"a Secret's file by subPath, replaced already", "/sub/am-admin-pass", SubPath},
		{"a file in a Secret's folder by subPath", "/sub/folder/tls.crt", SubPath},
		{"a file in an emptyDir's folder by subPath", "/sub/work/deployment.toml", Followed},
		{"a folder that only looks a little like a version", "/odd/file", Followed},
		{"a file in the image", "/etc/ssl/certs/ca-certificates.crt", Followed},
		{"a mount point with a backslash", `/back\slash`, SingleFile},
		{"of two mounts at one point the upper one", "/twice/file", SubPath},
		{"a path with detours", "/whole/../sub/./folder/tls.crt", SubPath},
	} {
		if got := mounts.Of(c.path); got != c.want {
			t.Errorf("%s: Of(%s) = %d, want %d", c.name, c.path, got, c.want)
		}
	}
	if got := Mounts(nil).Of("/config/api-config.yaml"); got != Followed {
		t.Errorf("without a list of mounts: %d", got)
	}
}

func FuzzMounts(f *testing.F) {
	f.Add(mountinfo, "/sub/folder/tls.crt")
	f.Add(`1 2 3 \04 \`, `\0404`)
	f.Fuzz(func(t *testing.T, list, path string) {
		mounts := parseMounts(list)
		if got := mounts.Of(path); got != Followed && len(mounts) == 0 {
			t.Errorf("Of(%q) = %d without a mount", path, got)
		}
	})
}

// namespaceVariable is set in the process with mounts of its own.
const namespaceVariable = "FILE_TEST_MOUNTS"

// TestRealMountsAreDistinguished runs itself in a mount namespace of its own.
func TestRealMountsAreDistinguished(t *testing.T) {
	if os.Getenv(namespaceVariable) != "" {
		tellRealMountsApart(t)
		return
	}
	runInNamespace(t, syscall.CLONE_NEWUSER|syscall.CLONE_NEWNS, namespaceVariable+"=1")
}

func tellRealMountsApart(t *testing.T) {
	dir := t.TempDir()
	volume := testenv.KubernetesVolume{Dir: filepath.Join(dir, "volume")}
	volume.Write(t, map[string]string{"api-config.yaml": "one", "folder/tls.crt": "one"})
	mkdir(t, filepath.Join(dir, "plain"))
	write(t, filepath.Join(dir, "plain", "pass"), "one")
	bind := func(from, to string) {
		t.Helper()
		from, to = filepath.Join(dir, from), filepath.Join(dir, to)
		if isFolder(from) {
			mkdir(t, to)
		} else {
			mkdir(t, filepath.Dir(to))
			write(t, to, "")
		}
		if err := syscall.Mount(from, to, "", syscall.MS_BIND, ""); err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() { syscall.Unmount(to, syscall.MNT_DETACH) }) // or the folder cannot be removed
	}
	bind("plain/pass", "c/run secrets/pass")
	bind("plain", "c/folder")
	bind("volume", "c/whole")
	bind("volume/api-config.yaml", "c/sub/api-config.yaml")
	bind("volume/folder", "c/sub/folder")
	if err := os.Symlink("run secrets/pass", filepath.Join(dir, "c", "link")); err != nil {
		t.Fatal(err)
	}
	look := func(when string) {
		t.Helper()
		mounts, err := ReadMounts()
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]Mounting{
			"c/run secrets/pass": SingleFile, "c/link": SingleFile, "c/folder/pass": Followed, "c/whole/api-config.yaml": Followed,
			"c/whole/folder/tls.crt": Followed, "c/sub/api-config.yaml": SubPath, "c/sub/folder/tls.crt": SubPath, "c/sub/missing": Followed,
		} {
			if got := mounts.Of(filepath.Join(dir, path)); got != want {
				t.Errorf("%s: %s: %d, want %d", when, path, got, want)
			}
		}
	}
	look("at first")
	volume.Write(t, map[string]string{"api-config.yaml": "two", "folder/tls.crt": "two"})
	write(t, filepath.Join(dir, "plain", "next"), "two")
	rename(t, filepath.Join(dir, "plain", "next"), filepath.Join(dir, "plain", "pass"))
	look("after a change")
	path := filepath.Join(dir, "c/run secrets/pass")
	if _, err := Write(path, []byte("three"), 0o600, filepath.Join(dir, "c", WorkDir)); err == nil || !strings.Contains(err.Error(), "mount its folder instead") {
		t.Errorf("a file that is mounted by itself is replaced: %v", err)
	}
	for path, want := range map[string]string{"c/run secrets/pass": "one", "c/whole/api-config.yaml": "two", "c/sub/api-config.yaml": "one", "c/folder/pass": "two"} {
		if got, err := os.ReadFile(filepath.Join(dir, path)); string(got) != want || err != nil {
			t.Errorf("%s holds %q, %v; want %q: what is told of mounts is not so", path, got, err, want)
		}
	}
}
