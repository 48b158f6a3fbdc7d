package notify

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// recorded is a WayBack that records its calls. The content of a start is that of the file "content". Failed restores the
// file "former", once.
type recorded struct{ volume string }

func (r recorded) Starting(context.Context) string {
	data, _ := os.ReadFile(filepath.Join(r.volume, "content"))
	return strings.TrimSpace(string(data))
}

func (r recorded) Served(_ context.Context, content string) error {
	if os.Remove(filepath.Join(r.volume, "busy")) == nil {
		return fmt.Errorf("busy")
	}
	return r.say("served " + content)
}

func (r recorded) Failed(_ context.Context, content string) bool {
	r.say("failed " + content)
	return os.Rename(filepath.Join(r.volume, "former"), filepath.Join(r.volume, "content")) == nil
}

func (r recorded) say(line string) error {
	f, err := os.OpenFile(filepath.Join(r.volume, "told"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintln(f, line)
	return err
}

func (s *supervised) told() string {
	data, _ := os.ReadFile(s.file("told"))
	return string(data)
}

// write puts files on the volume before the supervisor starts.
func write(files map[string]string) func(Control) {
	return func(c Control) {
		for name, content := range files {
			os.WriteFile(filepath.Join(filepath.Dir(c.Dir), name), []byte(content), 0o600)
		}
	}
}

// freeAddress returns an address at which nothing listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestAServerStartsWhenItsDatabaseAnswers(t *testing.T) {
	address := freeAddress(t)
	t.Setenv("TEST_DATABASE", address)
	s := start(t, `echo run >> $VOLUME/runs; exec sleep 1000`)
	s.until(t, "it logs what it waits for", func() bool {
		return strings.Contains(s.log.String(), "the server starts when its database answers") && strings.Contains(s.log.String(), address)
	})
	time.Sleep(2 * dialPause)
	if s.runs() != 0 {
		t.Fatalf("the server was started without its database\n%s", s.log)
	}
	listen(t, address)
	s.until(t, "the server runs", func() bool { return s.runs() == 1 })
	if log := s.log.String(); strings.Count(log, "starts when its database answers") != 1 || !strings.Contains(log, "the database answers") {
		t.Errorf("the log does not have the wait once, and its end:\n%s", log)
	}
}

func TestADatabaseThatNeverAnswersIsAClearError(t *testing.T) {
	address := freeAddress(t)
	t.Setenv("TEST_DATABASE", address)
	t.Setenv("TEST_DATABASE_TIMEOUT", "50ms")
	s := start(t, `echo run >> $VOLUME/runs`)
	s.Wait()
	for _, part := range []string{address + " does not answer after 50ms", "connection refused", "PGHOST and PGPORT", "DATABASE_TIMEOUT"} {
		if !strings.Contains(s.log.String(), part) {
			t.Errorf("the error lacks %q:\n%s", part, s.log)
		}
	}
	if s.ProcessState.ExitCode() != 127 || s.runs() != 0 {
		t.Errorf("exit code %d, %d runs", s.ProcessState.ExitCode(), s.runs())
	}
}

func TestATermEndsTheWaitForTheDatabase(t *testing.T) {
	t.Setenv("TEST_DATABASE", freeAddress(t))
	s := start(t, `echo run >> $VOLUME/runs`)
	s.until(t, "it waits", func() bool { return strings.Contains(s.log.String(), "starts when its database answers") })
	s.Process.Signal(syscall.SIGTERM)
	s.Wait()
	if s.ProcessState.ExitCode() != 143 || s.runs() != 0 {
		t.Errorf("exit code %d, %d runs\n%s", s.ProcessState.ExitCode(), s.runs(), s.log)
	}
}

func TestARestartWaitsForTheDatabaseToo(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	t.Setenv("TEST_DATABASE", l.Addr().String())
	s := start(t, `echo run >> $VOLUME/runs; exec sleep 1000`)
	s.until(t, "the server runs", func() bool { return s.runs() == 1 })
	l.Close()
	s.control.Want("g1")
	s.until(t, "it waits", func() bool { return strings.Contains(s.log.String(), "starts when its database answers") })
	listen(t, l.Addr().String())
	s.until(t, "the server runs again", func() bool { return s.runs() == 2 })
}

func TestAServerThatNeverOpensItsPortIsRestartedWithinTheBudget(t *testing.T) {
	address := freeAddress(t)
	t.Setenv("TEST_PORT", address)
	t.Setenv("TEST_START_TIMEOUT", "100ms")
	s := start(t, `echo run >> $VOLUME/runs; exec sleep 1000`)
	s.until(t, "the budget of two restarts is used up", func() bool { return strings.Contains(s.log.String(), "restart held") })
	if st := s.starts(t, 3); st.PID == 0 || !alive(st.PID) {
		t.Errorf("beyond the budget the server must keep running: %+v", st)
	}
	if log := s.log.String(); strings.Count(log, "did not open its port in time") != 2 || !strings.Contains(log, address) || !strings.Contains(log, "START_TIMEOUT") {
		t.Errorf("the restarts are not explained:\n%s", log)
	}
}

func TestAServerThatHasOpenedItsPortIsLeftAlone(t *testing.T) {
	l := listen(t, "127.0.0.1:0")
	t.Setenv("TEST_PORT", l.Addr().String())
	t.Setenv("TEST_START_TIMEOUT", "1s")
	s := start(t, `exec sleep 1000`, write(map[string]string{"content": "c1", "busy": ""}))
	s.until(t, "the way back records that the server serves, though not at once", func() bool { return s.told() == "served c1\n" })
	l.Close() // what it does later is its own affair
	time.Sleep(1500 * time.Millisecond)
	if st := s.starts(t, 1); !alive(st.PID) || s.told() != "served c1\n" {
		t.Errorf("%+v, told %q\n%s", st, s.told(), s.log)
	}
}

func TestAStartThatFailsBeforeThePortIsOpenTakesTheWayBack(t *testing.T) {
	for name, script := range map[string]string{
		"it exits":              `exit 3`,
		"it never opens a port": `exec sleep 1000`,
	} {
		t.Run(name, func(t *testing.T) {
			address := freeAddress(t)
			t.Setenv("TEST_PORT", address)
			t.Setenv("TEST_START_TIMEOUT", "3s") // long enough to open the port for the second start
			s := start(t, `echo run >> $VOLUME/runs; if grep -q bad $VOLUME/content; then `+script+`; fi; exec sleep 1000`,
				write(map[string]string{"content": "bad", "former": "good"}))
			s.until(t, "the former content is back", func() bool { return s.told() == "failed bad\n" })
			listen(t, address)
			s.until(t, "the second start serves", func() bool { return s.told() == "failed bad\nserved good\n" })
			s.until(t, "the second start has left its mark", func() bool { return s.runs() >= 2 }) // the port was open before it
			if s.runs() != 2 {
				t.Errorf("the server ran %d times\n%s", s.runs(), s.log)
			}
		})
	}
}

func TestWhatIsNoFailedStartTakesNoWayBack(t *testing.T) {
	for name, run := range map[string]func(t *testing.T, s *supervised){
		"it was asked to stop": func(t *testing.T, s *supervised) {
			s.until(t, "the server runs", func() bool { return s.runs() == 1 })
			s.Process.Signal(syscall.SIGTERM)
			s.Wait()
		},
		"it was restarted for a newer generation": func(t *testing.T, s *supervised) {
			s.until(t, "the server runs", func() bool { return s.runs() == 1 })
			s.control.Want("g1")
			s.starts(t, 2)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TEST_PORT", freeAddress(t))
			s := start(t, `echo run >> $VOLUME/runs; exec sleep 1000`, write(map[string]string{"content": "c1", "former": "c0"}))
			run(t, s)
			if s.told() != "" {
				t.Errorf("told %q\n%s", s.told(), s.log)
			}
		})
	}
	t.Run("the database does not answer", func(t *testing.T) {
		l := listen(t, "127.0.0.1:0")
		t.Setenv("TEST_DATABASE", l.Addr().String())
		t.Setenv("TEST_PORT", freeAddress(t))
		s := start(t, `echo run >> $VOLUME/runs; while ! [ -e $VOLUME/end ]; do sleep 0.02; done; exit 5`, write(map[string]string{"content": "c1", "former": "c0"}))
		s.until(t, "the server runs", func() bool { return s.runs() == 1 })
		l.Close()
		write(map[string]string{"end": ""})(s.control)
		s.Wait()
		if s.told() != "" || s.ProcessState.ExitCode() != 5 || !strings.Contains(s.log.String(), "while the database does not answer") {
			t.Errorf("told %q, exit code %d\n%s", s.told(), s.ProcessState.ExitCode(), s.log)
		}
	})
	t.Run("nothing could be put back", func(t *testing.T) {
		t.Setenv("TEST_PORT", freeAddress(t))
		s := start(t, `exit 6`, write(map[string]string{"content": "c1"}))
		s.Wait()
		if s.told() != "failed c1\n" || s.ProcessState.ExitCode() != 6 {
			t.Errorf("told %q, exit code %d: want the server's own exit code\n%s", s.told(), s.ProcessState.ExitCode(), s.log)
		}
	})
}
