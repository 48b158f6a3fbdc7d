package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"wso2agent/internal/keystore"
	"wso2agent/internal/wso2sim"
	"wso2agent/test/upgrade"
)

// makers bring the volumes, laid out for a first start, to each state.
var makers = map[string]func(maker) error{
	upgrade.FirstBoot.Name: maker.firstBoot,
	upgrade.Rotated.Name:   maker.rotated,
	upgrade.Announced.Name: maker.announced,
	upgrade.PutBack.Name:   maker.putBack,
	upgrade.Refused.Name:   maker.refused,
	upgrade.Paced.Name:     maker.paced,
	upgrade.Turn.Name:      maker.turn,
	upgrade.Artifacts.Name: maker.artifacts,
	upgrade.Database.Name:  maker.database,
}

type maker struct {
	ctx context.Context
	w   *upgrade.World
}

const (
	securityDir = "repository/resources/security"
	settings    = "repository/conf/deployment.toml"
	password    = "wso2carbon"
)

// layOut makes the servers' homes, with keys that are valid for decades, and the volumes for a first start.
func (m maker) layOut() error {
	w := m.w
	for _, folder := range []string{w.Exchange(), "config", "output", "record", "source", "is/artifacts", "am/artifacts"} {
		if !filepath.IsAbs(folder) {
			folder = filepath.Join(w.Dir, folder)
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
	}
	for _, s := range w.Sides() {
		if err := wso2sim.UnpackWith(s.Home(), s.Product, wso2sim.UnpackOptions{Rounds: 1000}); err != nil {
			return err
		}
		if err := replaceKeystore(filepath.Join(s.Home(), securityDir, keystoreOf(s))); err != nil {
			return err
		}
		for _, folder := range []string{securityDir, "repository/conf"} {
			if err := os.CopyFS(filepath.Join(s.Volume(), folder), os.DirFS(filepath.Join(s.Home(), folder))); err != nil {
				return err
			}
		}
	}
	example, err := os.ReadFile("examples/api-config.yaml")
	if err != nil {
		return err
	}
	config := regexp.MustCompile(`(?m)(backend_url: *)\S+`).ReplaceAll(example, []byte("${1}"+w.Backend()))
	return os.WriteFile(filepath.Join(w.Dir, "config/api-config.yaml"), config, 0o644)
}

func keystoreOf(s *upgrade.Side) string {
	return map[string]string{"is": "wso2carbon.p12", "am": "wso2carbon.jks"}[s.Product]
}

func truststoreOf(s *upgrade.Side) string {
	return filepath.Join(s.Volume(), securityDir, map[string]string{"is": "client-truststore.p12", "am": "client-truststore.jks"}[s.Product])
}

// replaceKeystore puts a keystore with a new key in the place of the one at path, as a person does.
func replaceKeystore(path string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: serial, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(45, 0, 0), DNSNames: []string{"localhost"},
		Subject: pkix.Name{CommonName: "localhost"}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	store, err := keystore.New(keystore.Options{Format: keystore.PKCS12, Password: password, MACRounds: 1000, CertificateRounds: 1000, KeyRounds: 1000})
	if err == nil {
		err = store.SetKey("wso2carbon", key, []keystore.Certificate{{DER: der}}, password, time.Now())
	}
	if err != nil {
		return err
	}
	data, err := store.Encode()
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(path+".new", data, 0o640), os.Rename(path+".new", path))
}

func (m maker) replaceKeystore(s *upgrade.Side) error {
	return replaceKeystore(filepath.Join(s.Volume(), securityDir, keystoreOf(s)))
}

// settle brings everything up until both agents are ready.
func (m maker) settle() error {
	if err := errors.Join(m.w.Init(m.ctx), m.w.Run()); err != nil {
		return err
	}
	return m.until("both agents are ready", m.w.AllReady)
}

func (m maker) until(what string, not func() string) error { return m.w.Until(m.ctx, what, not) }

// published counts a server's certificates on the exchange volume.
func (m maker) published(s *upgrade.Side) int {
	text, _ := os.ReadFile(filepath.Join(m.w.Exchange(), s.Name, "certs.pem"))
	return bytes.Count(text, []byte("BEGIN CERTIFICATE"))
}

// missing is a sentence until a condition holds.
func missing(holds bool, sentence string) string {
	if holds {
		return ""
	}
	return sentence
}

func (m maker) logged(s *upgrade.Side, text string) string {
	log, _ := os.ReadFile(s.Log())
	return missing(strings.Contains(string(log), text), "the log of "+s.Name+" has no "+text)
}

func there(path string) string {
	_, err := os.Stat(path)
	return missing(err == nil, path+" is missing")
}

func (m maker) firstBoot() error { return m.settle() }

func (m maker) rotated() error {
	if err := m.settle(); err != nil {
		return err
	}
	if err := m.w.IS.Command(m.ctx, "certs", "rotate"); err != nil {
		return err
	}
	if err := m.until("IS has started with the new certificate", func() string {
		return missing(m.w.IS.Starts() == 2 && m.w.AM.Starts() == 2 && m.published(m.w.IS) == 2, "it has not")
	}); err != nil {
		return err
	}
	return m.until("both agents are ready", m.w.AllReady)
}

func (m maker) announced() error {
	if err := m.settle(); err != nil {
		return err
	}
	m.w.AM.StopAgent()
	if err := m.w.IS.Command(m.ctx, "certs", "rotate"); err != nil {
		return err
	}
	return m.until("IS's agent waits for API-M", func() string { return m.logged(m.w.IS, "the switch to the new certificate waits") })
}

func (m maker) putBack() error {
	if err := m.settle(); err != nil {
		return err
	}
	for _, s := range m.w.Sides() {
		s.StopAgent()
		if err := m.replaceKeystore(s); err != nil {
			return err
		}
	}
	if err := m.w.IS.StartAgent(); err != nil {
		return err
	}
	if err := m.until("IS's agent waits for API-M", func() string { return m.logged(m.w.IS, "the switch to the new certificate waits") }); err != nil {
		return err
	}
	m.w.IS.StopAgent()
	if err := m.w.AM.StartAgent(); err != nil {
		return err
	}
	return m.until("API-M trusts IS's new certificate, and its own waits", func() string {
		kept := filepath.Join(m.w.AM.Volume(), ".agent/keystore", keystoreOf(m.w.AM))
		trusts, _ := os.ReadFile(filepath.Join(m.w.Exchange(), m.w.AM.Name, "trusts.json"))
		own := 1 // API-M's own certificate in use, and two of IS
		return there(kept+".next") + there(kept+".served") + missing(m.w.AM.Starts() == 2 && fingerprints(trusts) == own+2, "API-M trusts "+string(trusts))
	})
}

// fingerprints counts those in trusts.json.
func fingerprints(trusts []byte) int {
	return len(regexp.MustCompile(`"[0-9A-Fa-f:]{64,}"`).FindAll(trusts, -1))
}

// refused makes API-M's server end at its start when its truststore is another than the good one.
func (m maker) refused() error {
	good := m.w.Dir + ".good"
	m.w.AM.Through = shell(fmt.Sprintf("if [ -e %[1]s ] && ! cmp -s %[1]s %[2]s; then exit 1; fi", good, truststoreOf(m.w.AM)))
	if err := m.settle(); err != nil {
		return err
	}
	store, err := os.ReadFile(truststoreOf(m.w.AM))
	if err == nil {
		err = os.WriteFile(good, store, 0o644)
	}
	if err == nil {
		err = m.replaceKeystore(m.w.IS)
	}
	if err != nil {
		return err
	}
	return m.until("API-M serves without the certificate that it refused", func() string {
		refused, _ := os.ReadFile(filepath.Join(m.w.AM.Volume(), ".agent/refused.json"))
		return missing(bytes.Contains(refused, []byte(`"refused"`)), "refused.json holds "+string(refused)) + m.w.AM.Ready()
	})
}

func (m maker) paced() error {
	if err := m.settle(); err != nil {
		return err
	}
	for n := 2; n <= 3; n++ {
		if err := m.replaceKeystore(m.w.IS); err != nil {
			return err
		}
		if err := m.until("IS presents the new certificate", func() string {
			return missing(m.w.IS.Starts() == n && m.w.AM.Starts() == n, "it does not") + m.w.AllReady()
		}); err != nil {
			return err
		}
	}
	if err := m.replaceKeystore(m.w.IS); err != nil {
		return err
	}
	return m.until("API-M's agent does not import it", func() string { return m.logged(m.w.AM, "changes too often") })
}

// turn makes IS's server hang at its next start.
func (m maker) turn() error {
	hang := m.w.Dir + ".hang"
	m.w.IS.Through = shell("while [ -e " + hang + " ]; do sleep 0.1; done")
	if err := m.settle(); err != nil {
		return err
	}
	if err := os.WriteFile(hang, nil, 0o644); err != nil {
		return err
	}
	defer os.Remove(hang)
	for _, s := range m.w.Sides() {
		s.StopAgent()
		if err := appendTo(filepath.Join(s.Volume(), settings), "\n# a change that a restart has to follow\n"); err != nil {
			return err
		}
	}
	if err := m.w.IS.StartAgent(); err != nil {
		return err
	}
	says := func(s *upgrade.Side, parts ...string) string {
		text, _ := os.ReadFile(filepath.Join(m.w.Exchange(), s.Name, "turn.json"))
		for _, part := range parts {
			if !bytes.Contains(text, []byte(part)) {
				return "turn.json of " + s.Name + " holds " + string(text)
			}
		}
		return ""
	}
	if err := m.until("IS's agent has the turn", func() string { return says(m.w.IS, `"wants"`, `"has": true`) }); err != nil {
		return err
	}
	if err := m.w.AM.StartAgent(); err != nil {
		return err
	}
	return m.until("API-M's agent waits for the turn", func() string {
		return says(m.w.AM, `"wants"`) + m.logged(m.w.AM, "waits until others serve again")
	})
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

func (m maker) artifacts() error {
	list := "artifacts:\n"
	for _, name := range []string{"there-1.0.jar", "lacking-1.0.jar"} {
		list += "  - {url: \"https://127.0.0.1:1/" + name + "\", destination: repository/components/dropins/" + name + "}\n"
	}
	jar := filepath.Join(m.w.Dir, "source/there-1.0.jar")
	if err := errors.Join(os.WriteFile(filepath.Join(m.w.Dir, "config/artifacts.yaml"), []byte(list), 0o644), upgrade.WriteJar(jar)); err != nil {
		return err
	}
	if err := m.settle(); err != nil {
		return err
	}
	if err := os.Remove(jar); err != nil {
		return err
	}
	return m.until("the artifact that IS lacks is noted", func() string { return there(filepath.Join(m.w.IS.Volume(), ".agent/artifacts-lacking")) })
}

// database needs no server: the stand-ins know no PostgreSQL.
func (m maker) database() error {
	if err := os.WriteFile(filepath.Join(m.w.Dir, "record/is"), []byte("new\n"), 0o644); err != nil {
		return err
	}
	if err := m.w.Init(m.ctx); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(m.w.IS.Volume(), settings))
	if err != nil || !bytes.Contains(text, []byte("of-the-first-start")) {
		return fmt.Errorf("IS's settings do not have the administrator's password: %w\n%s", err, text)
	}
	return os.WriteFile(filepath.Join(m.w.Dir, "record/is"), []byte("used\n"), 0o644)
}
