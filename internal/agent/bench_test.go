package agent

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/identity"
	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/testenv"
)

// quiet is the quiescence of these benchmarks.
const quiet = 50 * time.Millisecond

// fleet is agents of many servers on one exchange volume. Their servers restart in no time.
type fleet struct {
	b       *testing.B
	dir     string
	members []*member
}

type member struct {
	agent            Agent
	writes, restarts atomic.Int64
	written          chan struct{} // holds one value once the truststore was replaced
}

// newFleet lays n servers out, each with a truststore of its own and all others as peers. Their agents do not run yet.
func newFleet(b *testing.B, n int, truststore []byte) *fleet {
	b.Helper()
	f := &fleet{b: b, dir: b.TempDir()}
	f.must(os.Mkdir(filepath.Join(f.dir, "exchange"), 0o755))
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("server-%d", i))
	}
	for name, value := range map[string]string{
		"PRODUCT": config.AM, "EXCHANGE_DIR": filepath.Join(f.dir, "exchange"), "SETTINGS": "none", "BOOTSTRAP": "false",
		"QUIET_MIN": quiet.String(), "ROTATE_GRACE": "1ms", "POLL_INTERVAL": "2s", "KEYSTORE_FILE": "wso2carbon.jks", "TRUSTSTORE_FILE": "client-truststore.jks",
	} {
		b.Setenv(name, value)
	}
	for _, name := range names {
		cfg, err := config.Load("PRODUCT")
		f.must(err)
		cfg.Server.Name, cfg.Server.ConfigDir = name, filepath.Join(f.dir, name)
		cfg.Trust.Peers = slices.DeleteFunc(slices.Clone(names), func(other string) bool { return other == name })
		a := New(cfg, func() (config.Config, error) { return cfg, nil }, slog.New(slog.DiscardHandler))
		m := &member{agent: a, written: make(chan struct{}, 1)}
		f.must(os.MkdirAll(filepath.Dir(cfg.TruststorePath()), 0o755))
		f.must(os.WriteFile(cfg.TruststorePath(), truststore, 0o600))
		f.members = append(f.members, m)
		f.replaceKey(m)
	}
	return f
}

func (f *fleet) must(err error) {
	f.b.Helper()
	if err != nil {
		f.b.Fatal(err)
	}
}

// run starts the agents of some members, and what restarts their servers: one watcher for all, since the system allows a user
// only so many.
func (f *fleet) run(members ...*member) {
	f.b.Helper()
	watcher, err := fsnotify.NewWatcher()
	f.must(err)
	ctx, cancel := context.WithCancel(f.b.Context())
	var loops sync.WaitGroup
	f.b.Cleanup(func() { cancel(); loops.Wait(); watcher.Close() })
	stores, wishes := map[string]*member{}, map[string]*member{}
	for _, m := range members {
		control := m.agent.control()
		f.must(os.MkdirAll(control.Dir, 0o700))
		stores[m.agent.cfg.TruststorePath()], wishes[filepath.Join(control.Dir, "wanted")] = m, m
		f.must(watcher.Add(filepath.Dir(m.agent.cfg.TruststorePath())))
		f.must(watcher.Add(control.Dir))
	}
	loops.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case e := <-watcher.Events:
				if !e.Has(fsnotify.Create) { // a rename to that name
					continue
				}
				if m := stores[e.Name]; m != nil {
					m.writes.Add(1)
					select {
					case m.written <- struct{}{}:
					default:
					}
				}
				if m := wishes[e.Name]; m != nil {
					f.restart(m, m.agent.control())
				}
			}
		}
	})
	for _, m := range members {
		loops.Go(func() { m.agent.keepTrust(ctx, telemetry.NewHealth(time.Hour)) })
	}
}

// restart does what agent exec does, if the agent asks for that.
func (f *fleet) restart(m *member, control notify.Control) {
	wanted, err := control.Wanted()
	started, _, _ := control.Started()
	if err != nil || wanted == "" || wanted == started.Generation {
		return
	}
	m.restarts.Add(1)
	data, _ := json.Marshal(notify.Started{Generation: wanted, PID: 1, Since: time.Now(), Starts: int(m.restarts.Load())})
	if _, err := file.Write(filepath.Join(control.Dir, "started.json"), data, 0o600, control.Dir); err != nil {
		f.b.Error(err)
	}
}

func (f *fleet) selfSigned() (keystore.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	f.must(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "server"}, NotAfter: time.Now().Add(1000 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	f.must(err)
	return keystore.Certificate{DER: der}, key
}

// replaceKey puts another key into a server's keystore.
func (f *fleet) replaceKey(m *member) keystore.Certificate {
	f.b.Helper()
	c, key := f.selfSigned()
	store, err := keystore.New(keystore.Options{Format: keystore.PKCS12, Password: "wso2carbon"})
	f.must(err)
	f.must(store.SetKey("wso2carbon", key, []keystore.Certificate{c}, "wso2carbon", time.Now()))
	data, err := store.Encode()
	f.must(err)
	_, err = file.Write(m.agent.cfg.KeystorePaths()[0], data, 0o600, filepath.Join(f.dir, "temporary"))
	f.must(err)
	return c
}

// settled tells whether a member's server runs with what is on disk, and trusts just what all members have in use.
func (f *fleet) settled(m *member) bool {
	wanted, err := m.agent.control().Wanted()
	started, _, startedErr := m.agent.control().Started()
	said, saidErr := m.agent.exchange().Trusts(f.b.Context(), m.agent.cfg.Server.Name)
	if err != nil || startedErr != nil || saidErr != nil || wanted == "" || started.Generation != wanted || said.Generation != wanted || len(said.Fingerprints) != len(f.members) {
		return false
	}
	for _, other := range f.members {
		certs, err := m.agent.exchange().Certificates(f.b.Context(), other.agent.cfg.Server.Name)
		if err != nil || len(certs) != 1 || !slices.Contains(said.Fingerprints, certs[0].Fingerprint().String()) {
			return false
		}
	}
	return true
}

func (f *fleet) untilSettled() {
	f.b.Helper()
	deadline := time.Now().Add(5 * time.Minute)
	for _, m := range f.members {
		for !f.settled(m) {
			if time.Now().After(deadline) {
				f.b.Fatalf("%s is not settled", m.agent.cfg.Server.Name)
			}
			<-time.After(10 * time.Millisecond)
		}
	}
}

func (f *fleet) counts() (writes, restarts int64) {
	for _, m := range f.members {
		writes, restarts = writes+m.writes.Load(), restarts+m.restarts.Load()
	}
	return writes, restarts
}

// BenchmarkRotation replaces the certificate of one of many servers, and waits until every running server trusts the new
// one alone.
func BenchmarkRotation(b *testing.B) {
	for _, n := range []int{2, 10, 50} {
		b.Run(fmt.Sprintf("%d servers", n), func(b *testing.B) {
			f := newFleet(b, n, smallTruststore(b))
			f.run(f.members...)
			f.untilSettled()
			writes, restarts := f.counts()
			b.ResetTimer()
			for range b.N {
				before := f.members[0].agent.published(f)
				f.replaceKey(f.members[0])
				for f.members[0].agent.published(f) == before {
					<-time.After(10 * time.Millisecond)
				}
				f.untilSettled()
			}
			b.StopTimer()
			moreWrites, moreRestarts := f.counts()
			rotated := float64(b.N * n)
			b.ReportMetric(float64(moreWrites-writes)/rotated, "writes/server")
			b.ReportMetric(float64(moreRestarts-restarts)/rotated, "restarts/server")
			if moreRestarts-restarts != int64(b.N*n) {
				b.Errorf("%d restarts of %d servers in %d rotations", moreRestarts-restarts, n, b.N)
			}
		})
	}
}

// published is the certificate that a server has in use, as its agent says.
func (a Agent) published(f *fleet) keystore.Fingerprint {
	certs, err := a.exchange().Certificates(f.b.Context(), a.cfg.Server.Name)
	f.must(err)
	return certs[0].Fingerprint()
}

func smallTruststore(b *testing.B) []byte {
	store, err := keystore.New(keystore.Options{Format: keystore.PKCS12, Password: "wso2carbon"})
	if err == nil {
		var data []byte
		if data, err = store.Encode(); err == nil {
			return data
		}
	}
	b.Fatal(err)
	return nil
}

// BenchmarkFromAChangeToTheTruststore is the time from a peer's new certificate on the exchange volume to the products'
// own truststore, replaced on disk. bare is what the system takes for that alone: one event, the same bytes written and
// synced. The quiescence is not counted.
func BenchmarkFromAChangeToTheTruststore(b *testing.B) {
	data, err := os.ReadFile(testenv.Shared(b, "keystores/apim-4.5.0/client-truststore.jks"))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("agent", func(b *testing.B) {
		f := newFleet(b, 2, data)
		m, peer := f.members[1], f.members[0].agent.exchange()
		c, _ := f.selfSigned()
		if _, err := peer.Publish([]keystore.Certificate{c}); err != nil {
			b.Fatal(err)
		}
		f.run(m)
		var took time.Duration
		b.ResetTimer()
		for range b.N {
			b.StopTimer()
			for !f.trusts(m, c) {
				<-time.After(10 * time.Millisecond)
			}
			<-time.After(4 * quiet) // a pass over what the last one has written
			select {
			case <-m.written:
			default:
			}
			c, _ = f.selfSigned()
			b.StartTimer()
			began := time.Now()
			if _, err := peer.Publish([]keystore.Certificate{c}); err != nil {
				b.Fatal(err)
			}
			<-m.written
			took += time.Since(began) - quiet
		}
		b.ReportMetric(float64(took.Milliseconds())/float64(b.N), "ms-beyond-quiet")
	})
	b.Run("bare", func(b *testing.B) {
		dir := b.TempDir()
		watcher, err := fsnotify.NewWatcher()
		if err != nil || watcher.Add(dir) != nil {
			b.Fatal(err)
		}
		defer watcher.Close()
		target := filepath.Join(b.TempDir(), "truststore")
		for i := range b.N {
			data[len(data)-1] = byte(i)
			if err := os.WriteFile(filepath.Join(dir, "change"), data[len(data)-1:], 0o600); err != nil {
				b.Fatal(err)
			}
			<-watcher.Events
			if _, err := file.Write(target, data, 0o600, filepath.Dir(target)); err != nil {
				b.Fatal(err)
			}
			for len(watcher.Events) > 0 {
				<-watcher.Events
			}
		}
	})
}

// trusts tells whether a member's running server trusts a certificate.
func (f *fleet) trusts(m *member, c keystore.Certificate) bool {
	said, err := m.agent.exchange().Trusts(f.b.Context(), m.agent.cfg.Server.Name)
	return err == nil && slices.Contains(said.Fingerprints, c.Fingerprint().String())
}

// BenchmarkReadingThePool is what successors add to each pass: each has a keystore of its own.
func BenchmarkReadingThePool(b *testing.B) {
	for _, n := range []int{0, 3, 8} {
		b.Run(fmt.Sprintf("%d successors", n), func(b *testing.B) {
			dir := b.TempDir()
			files := identity.Files{Keystore: filepath.Join(dir, "tls.p12"), WorkDir: filepath.Join(dir, "work"), Password: "wso2carbon"}
			spec := identity.Spec{Names: []string{"wso2is"}}
			for turn := range n + 1 {
				i, err := identity.Issue(spec, time.Now(), turn)
				if err == nil && turn == 0 {
					err = files.Install(i)
				} else if err == nil {
					err = files.AddSuccessor(i)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				if held, err := files.Read(b.Context()); err != nil || len(held.Successors) != n {
					b.Fatalf("%d successors, %v", len(held.Successors), err)
				}
			}
		})
	}
}
