package postgres_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"wso2agent/internal/testenv"
)

// The administrator's name and password on every server that a test starts.
const (
	admin         = "postgres"
	adminPassword = `ad min's "$x`
)

// server is a real PostgreSQL server on a free port of 127.0.0.1. It logs every statement.
type server struct {
	port string
	bin  string // folder of psql and its kind
	log  string // path
}

// startServer initialises and starts a server that lives as long as the test. PostgreSQL refuses to run as root: there it
// runs as another user, in a folder of that user's.
func startServer(t *testing.T) *server {
	t.Helper()
	s := &server{port: freePort(t), bin: filepath.Dir(initdb(t))}
	home, err := os.MkdirTemp("", "wso2agent-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	s.log = filepath.Join(home, "log")
	write(t, filepath.Join(home, "password"), adminPassword)
	identity := unprivileged(t, home, filepath.Join(home, "password"))

	data := filepath.Join(home, "data")
	first := exec.Command(filepath.Join(s.bin, "initdb"), "-D", data, "-U", admin, "-A", "scram-sha-256",
		"--pwfile", filepath.Join(home, "password"), "-E", "UTF8", "--locale", "C", "--no-sync")
	first.Dir, first.SysProcAttr = home, identity
	if out, err := first.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}

	log, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	run := exec.Command(filepath.Join(s.bin, "postgres"), "-D", data, "-h", "127.0.0.1", "-p", s.port, "-k", home,
		"-F", "-c", "log_statement=all", "-c", "log_min_duration_statement=0")
	run.Dir, run.SysProcAttr, run.Stdout, run.Stderr = home, identity, log, log
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = run.Process.Signal(syscall.SIGQUIT) // an immediate shutdown
		_ = run.Wait()
	})
	s.await(t, "postgres", "SELECT 'up'", "up")
	return s
}

// initdb is the path of initdb. Debian keeps it off the PATH.
func initdb(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		t.Fatal(err)
	}
	if len(found) > 0 {
		slices.Sort(found)
		t.Setenv("PATH", filepath.Dir(found[len(found)-1])+":"+os.Getenv("PATH"))
	}
	return testenv.Command(t, "initdb")
}

// unprivileged says as whom a server runs that this process may not run itself, and hands the paths over to that user.
// It is nil for a process that is not root's.
func unprivileged(t *testing.T, paths ...string) *syscall.SysProcAttr {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		t.Fatal(err)
	}
	uid, errUID := strconv.Atoi(u.Uid)
	gid, errGID := strconv.Atoi(u.Gid)
	if errUID != nil || errGID != nil {
		t.Fatalf("user %s: uid %q, gid %q", u.Username, u.Uid, u.Gid)
	}
	for _, path := range paths {
		if err := os.Chown(path, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// as runs one statement as a user of the server. Its answer is a line per row, columns separated by "|".
func (s *server) as(userName, password, database, statement string) (string, error) {
	cmd := exec.Command(filepath.Join(s.bin, "psql"), "-X", "-w", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-f", "-")
	cmd.Stdin = strings.NewReader(statement)
	cmd.Env = append(os.Environ(), "PGHOST=127.0.0.1", "PGPORT="+s.port, "PGUSER="+userName, "PGPASSWORD="+password, "PGDATABASE="+database)
	out, err := cmd.CombinedOutput()
	answer := strings.TrimSpace(string(out))
	if err != nil {
		return answer, fmt.Errorf("%s in %s as %s: %w\n%s", statement, database, userName, err, out)
	}
	return answer, nil
}

// admin runs a statement as the administrator.
func (s *server) admin(t *testing.T, database, statement string) string {
	t.Helper()
	answer, err := s.as(admin, adminPassword, database, statement)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// await asks until the administrator gets this answer.
func (s *server) await(t *testing.T, database, statement, want string) {
	t.Helper()
	var got string
	var err error
	pause := time.NewTicker(50 * time.Millisecond)
	defer pause.Stop()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-pause.C {
		if got, err = s.as(admin, adminPassword, database, statement); err == nil && got == want {
			return
		}
	}
	t.Fatalf("%s answers %q, %v: want %q", statement, got, err, want)
}

// content is every row of every table outside the system's schemas, with the transaction that wrote it, and every
// relation with its number. Where it is equal, nothing was made anew, written or removed.
func (s *server) content(t *testing.T, databases ...string) string {
	t.Helper()
	var all strings.Builder
	for _, database := range databases {
		all.WriteString(s.admin(t, database, `
			SELECT c.oid, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1;
			SELECT format('SELECT %L, xmin, t FROM %I.%I AS t ORDER BY t::text', c.oid, n.nspname, c.relname)
			FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
			WHERE relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY c.oid \gexec`) + "\n")
	}
	return all.String()
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
