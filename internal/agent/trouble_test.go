package agent

import (
	"bytes"
	"context"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/telemetry"
)

func TestNoKindOfRubbishKeepsAnotherPeerOut(t *testing.T) {
	p := newPlace(t)
	is := p.agent(config.IS)
	if _, err := is.pass(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	good := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.published("wso2is")[0].DER})
	rubbish := map[string]struct {
		content []byte
		says    string
	}{
		"a-key":            {[]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), "it holds a private key; remove the file and replace that key"},
		"half-written":     {good[:len(good)/2], "cut off"},
		"ten-megabytes":    {bytes.Repeat([]byte("x"), 10<<20), "too large"},
		"a-thousand":       {bytes.Repeat(good, 1000), "too large"},
		"more-than-enough": {bytes.Repeat(good, 17), "holds 17 certificates, more than 16"},
		"nothing-in-it":    {nil, "it is empty"},
	}
	peers := []string{"wso2is"}
	for name, r := range rubbish {
		peers = append(peers, name)
		dir := filepath.Join(p.dir, "exchange", name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "certs.pem"), r.content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(peers) // most of the rubbish comes first
	p.set(config.AM, func(c *config.Config) { c.Trust.Peers = peers })
	v, err := p.agent(config.AM).pass(t.Context(), nil)
	if err != nil || len(v.Missing) != len(rubbish) || slices.Contains(v.Missing, "wso2is") || !p.trusts(config.AM, p.published("wso2is")[0]) {
		t.Errorf("missing %v, %v", v.Missing, err)
	}
	for name, r := range rubbish {
		told := func(line string) bool {
			return strings.Contains(line, "peer="+name+" ") && strings.Contains(line, r.says)
		}
		if !slices.ContainsFunc(strings.Split(p.log.String(), "\n"), told) {
			t.Errorf("%s is not told with %q", name, r.says)
		}
	}
}

// keeping runs the trust loop of a product's agent, whose server is restarted at once when that is asked for.
func (p *place) keeping(product string) *telemetry.Health {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.t.Context())
	var loops sync.WaitGroup
	p.t.Cleanup(func() { cancel(); loops.Wait() })
	a, health := p.agent(product), telemetry.NewHealth(time.Hour, trustCondition, restartCondition, identityCondition)
	p.supervise(product)
	loops.Go(func() { a.keepTrust(ctx, health) })
	return health
}

func TestAnExchangeVolumeThatVanishesIsToldAndCatchesUpWhenItComesBack(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	health := p.keeping(config.AM)
	p.until("all is well", func() bool { return p.ok(health, trustCondition) && p.ok(health, restartCondition) })
	before := p.read(p.agent(config.AM).cfg.TruststorePath())

	exchange, gone := filepath.Join(p.dir, "exchange"), filepath.Join(p.dir, "gone")
	if err := os.Rename(exchange, gone); err != nil {
		t.Fatal(err)
	}
	p.until("it is told what is missing", func() bool {
		return !p.ok(health, trustCondition) && strings.Contains(p.message(health, trustCondition), "no folder at "+exchange)
	})
	if p.read(p.agent(config.AM).cfg.TruststorePath()) != before {
		t.Error("the truststore was changed for a volume that is gone")
	}
	if err := os.Rename(gone, exchange); err != nil {
		t.Fatal(err)
	}
	p.until("all is well again", func() bool { return p.ok(health, trustCondition) })
	if p.read(p.agent(config.AM).cfg.TruststorePath()) != before {
		t.Error("the truststore is another than before")
	}
	// An empty one in its place: the own certificate is published anew, and the peer's stays trusted.
	if err := os.Rename(exchange, gone+"-2"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(exchange, 0o755); err != nil {
		t.Fatal(err)
	}
	p.until("the own certificate is there again", func() bool {
		_, err := p.agent(config.AM).exchange().Certificates(t.Context(), "wso2am")
		return err == nil
	})
	p.until("the peers are told what is trusted", func() bool {
		said, err := p.agent(config.AM).exchange().Trusts(t.Context(), "wso2am")
		return err == nil && len(said.Fingerprints) > 0
	})
	if p.read(p.agent(config.AM).cfg.TruststorePath()) != before {
		t.Error("the truststore was changed for an empty volume")
	}
}

func TestACertificateThatChangesTwiceWithinTheWindowIsAnnouncedOnce(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.set(config.IS, func(c *config.Config) { c.Watch.QuietMin = 300 * time.Millisecond })
	health := p.keeping(config.IS)
	p.until("all is well", func() bool { return p.ok(health, restartCondition) })
	first := p.replaceKey(config.IS, "first", time.Now().Add(time.Hour))
	second := p.replaceKey(config.IS, "second", time.Now().Add(time.Hour))
	p.until("the second is announced", func() bool {
		return slices.ContainsFunc(strings.Split(p.log.String(), "\n"), func(line string) bool {
			return strings.Contains(line, "announces") && strings.Contains(line, second.Fingerprint().String())
		})
	})
	if strings.Contains(p.log.String(), first.Fingerprint().String()) || p.trusts(config.IS, first) {
		t.Error("the first one, which no server ever had, is told of or trusted")
	}
	if certs := p.published("wso2is"); len(certs) != 2 {
		t.Errorf("%d certificates are published", len(certs))
	}
}
