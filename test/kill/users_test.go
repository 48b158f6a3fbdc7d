package kill

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestAgentsOfTwoUsersShareAnExchangeVolumeAndNothingElse runs the agents as the users of the products' images.
func TestAgentsOfTwoUsersShareAnExchangeVolumeAndNothingElse(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can start processes of other users")
	}
	w := newWorld(t, "issue")
	w.is.user, w.am.user = &syscall.Credential{Uid: 802, Gid: 802}, &syscall.Credential{Uid: 10001, Gid: 10001}
	w.must(os.Chmod(filepath.Dir(w.dir), 0o755)) // the test's own folder
	w.must(os.Chmod(w.exchange().Dir, 0o777|fs.ModeSticky))
	for _, s := range w.sides() {
		w.give(filepath.Dir(s.volume), s.user)
	}
	w.run()

	// Both rotate.
	is, am := w.presented(w.is).Fingerprint(), w.presented(w.am).Fingerprint()
	if code, said := w.command(w.is.user, w.environment(w.is, 0), w.program, "certs", "rotate"); code != 0 {
		t.Fatal(said)
	}
	w.rotate(w.am)
	w.give(w.am.keystore(), w.am.user)
	w.until("both have rotated", func() string {
		if w.presented(w.is).Fingerprint() == is || w.presented(w.am).Fingerprint() == am {
			return "one presents what it did before"
		}
		return w.unsettled()
	})
	w.probed.report(w)

	for _, s := range w.sides() {
		for _, attempt := range []string{"echo x > certs.pem", "rm -f certs.pem", "mv certs.pem other", "echo x > new", "mkdir new", "echo x > .agent/new", "cd .. && mv $OLDPWD moved", "chmod 777 ."} {
			if code, _ := w.command(s.peer.user, nil, "/bin/sh", "-c", "cd "+filepath.Join(w.exchange().Dir, s.name)+" && "+attempt); code == 0 {
				t.Errorf("%s may do this to %s: %s", s.peer.name, s.name, attempt)
			}
		}
	}
	w.refused(w.am, "SERVER_NAME=wso2is", "PEERS=wso2am", `run it with user: "802:802"`)
	for _, stranger := range []*syscall.Credential{{Uid: 12345, Gid: 12345}, {Uid: 0, Gid: 0}} {
		s := *w.is
		s.user = stranger
		w.refused(&s, "LOG_LEVEL=info", "", `user: "802:802"`)
	}
	if what := w.unsettled(); what != "" {
		t.Error(what)
	}
}

// refused starts another init on a server's volume, with other settings, and expects that it changes nothing and says why.
func (w *world) refused(s *side, setting, another, says string) {
	w.t.Helper()
	for try := 1; ; try++ { // the sidecars, which still run, may write something meanwhile
		before := w.files()
		code, said := w.command(s.user, append(w.environment(s, 0), setting, another), w.program, "init")
		if code != 1 || !strings.Contains(said, says) {
			w.t.Errorf("as %d with %s it ended with %d and said:\n%s", s.user.Uid, setting, code, said)
		}
		after := w.files()
		if after == before {
			return
		}
		if try == 3 {
			w.t.Errorf("as %d with %s it changed files:\n%s\nbefore:\n%s", s.user.Uid, setting, after, before)
			return
		}
	}
}

// files are all files on the volumes, with what tells one version from another.
func (w *world) files() string {
	w.t.Helper()
	var all strings.Builder
	for _, dir := range []string{w.is.volume, w.am.volume, w.exchange().Dir} {
		w.must(filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			stat := info.Sys().(*syscall.Stat_t)
			all.WriteString(path + " " + strconv.Itoa(int(stat.Uid)) + " " + strconv.Itoa(int(stat.Ino)) + " " + info.ModTime().String() + "\n")
			return nil
		}))
	}
	return all.String()
}

// give makes everything at and below path a user's.
func (w *world) give(path string, user *syscall.Credential) {
	w.t.Helper()
	w.must(filepath.WalkDir(path, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(user.Uid), int(user.Gid))
	}))
}

// command runs a program to its end, and returns its exit code and what it said.
func (w *world) command(user *syscall.Credential, environment []string, program string, args ...string) (code int, said string) {
	w.t.Helper()
	log := filepath.Join(w.t.TempDir(), "said")
	p := startAs(w.t, user, log, environment, program, args...)
	<-p.ended
	text, err := os.ReadFile(log)
	w.must(err)
	return p.cmd.ProcessState.ExitCode(), string(text)
}
