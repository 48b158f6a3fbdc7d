package scopes

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"wso2agent/internal/keystore"
	"wso2agent/internal/wso2"
)

// interval is the default of SCOPES_INTERVAL.
const interval = 2 * time.Second

// BenchmarkQuietPoll measures the cost of a poll that finds nothing new: the processor time in the agent, and in the stand-in, which
// runs in its own process. A real IS takes 10 to 18 ms for a request. With an interval of 2 s, 1 % of a core is 20,000 µs in the
// agent.
func BenchmarkQuietPoll(b *testing.B) {
	for _, applications := range []int{0, 100, 1000} {
		b.Run(fmt.Sprintf("applications=%d", applications), func(b *testing.B) {
			base, pin, process := serveApart(b, applications)
			is := wso2.NewAuthorization(client(base, pin), base, wso2.Credentials{User: "admin", Password: "admin"})
			k := keeper()
			if report, err := k.Poll(b.Context(), is); err != nil || report.Applications != applications || report.Err() != nil {
				b.Fatalf("%+v, %v", report, err)
			}
			ownBefore, otherBefore := cpu(b, os.Getpid()), cpu(b, process)
			for b.Loop() {
				if report, err := k.Poll(b.Context(), is); err != nil || report.Changes != 0 {
					b.Fatalf("%+v, %v", report, err)
				}
			}
			own, other := cpu(b, os.Getpid())-ownBefore, cpu(b, process)-otherBefore
			polls := float64(b.N)
			b.ReportMetric(float64(own.Microseconds())/polls, "agent-µs/poll")
			b.ReportMetric(float64(other.Microseconds())/polls, "stand-in-µs/poll")
			b.ReportMetric(100*own.Seconds()/polls/interval.Seconds(), "%core-in-agent-at-2s")
		})
	}
}

// cpu returns the processor time of a process, to a hundredth of a second.
func cpu(b *testing.B, pid int) time.Duration {
	b.Helper()
	if pid == os.Getpid() {
		var used syscall.Rusage
		must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
		return time.Duration(used.Utime.Nano() + used.Stime.Nano())
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	must(b, err)
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var user, system int64
	_, err = fmt.Sscan(fields[11]+" "+fields[12], &user, &system)
	must(b, err)
	return time.Duration(user+system) * 10 * time.Millisecond
}

// BenchmarkScopesComeBack measures how many seconds 100 applications lack scopes if IS takes 15 ms for each answer: after somebody
// has saved an API with local scopes (goal: at most the interval and 3 s), and after somebody has made keys (goal: the interval and
// 0.5 s). In real use a change waits for a part of the interval; here it waits for all of it.
func BenchmarkScopesComeBack(b *testing.B) {
	const applications, latency = 100, 15 * time.Millisecond
	s := newServer(b)
	resource := s.resource("a:one", "a:two", "a:three")
	for n := range applications {
		s.key(n)
	}
	slow := func(http.ResponseWriter, *http.Request) bool { time.Sleep(latency); return false }
	k := keeper()
	s.poll(k)
	measure := func(name string, change func()) {
		b.Run(name, func(b *testing.B) {
			var total, longest time.Duration
			n := 0
			for b.Loop() {
				s.meanwhile(nil)
				change()
				s.meanwhile(slow)
				began := time.Now()
				if report := s.poll(k); report.Changes == 0 || report.Err() != nil {
					b.Fatalf("%+v", report)
				}
				took := interval + time.Since(began)
				total, longest, n = total+took, max(longest, took), n+1
			}
			s.meanwhile(nil)
			s.allAuthorized()
			b.ReportMetric(total.Seconds()/float64(n), "s-with-interval")
			b.ReportMetric(longest.Seconds(), "longest-s-with-interval")
		})
	}
	measure("an API with scopes of its own is saved", func() { s.remake(resource, "a:one", "a:two", "a:three") })
	next := applications
	measure("keys are made", func() { s.key(next); next++ })
}

// serveApart starts a stand-in with applications in a process of its own.
func serveApart(b *testing.B, applications int) (base string, pin keystore.Fingerprint, process int) {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("SCOPES_TEST_SERVE=%d", applications))
	cmd.Stderr = os.Stderr
	stop, err := cmd.StdinPipe()
	must(b, err)
	said, err := cmd.StdoutPipe()
	must(b, err)
	must(b, cmd.Start())
	b.Cleanup(func() { stop.Close(); _ = cmd.Wait() })
	var fingerprint string
	if _, err := fmt.Fscan(said, &base, &fingerprint); err != nil {
		b.Fatalf("the stand-in says nothing: %v", err)
	}
	pin, err = keystore.ParseFingerprint(fingerprint)
	must(b, err)
	return base, pin, cmd.Process.Pid
}
