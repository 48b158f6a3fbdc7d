//go:build kubernetes

package kubernetes

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/testenv"
)

// ca is a CA as cert-manager has one.
type ca struct {
	t           *testing.T
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newCA(t *testing.T) ca {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA of the tests"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return ca{t: t, certificate: c, key: key}
}

// issue is a new certificate for a server, and its key, as the data of a Secret of the type kubernetes.io/tls.
func (c ca) issue(server string) map[string]any {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: server}, DNSNames: []string{server, "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, c.certificate, key.Public(), c.key)
	if err != nil {
		c.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		c.t.Fatal(err)
	}
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return map[string]any{"tls.crt": text("CERTIFICATE", der), "tls.key": text("PRIVATE KEY", private), "ca.crt": text("CERTIFICATE", c.certificate.Raw)}
}

func (w *world) putTLS(server string, data map[string]any) {
	w.t.Helper()
	w.put(map[string]any{"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": map[string]any{"name": server + "-tls"}, "stringData": data})
}

// prober is a pod that shakes hands with both servers all the time. By the network's policy it is a bootstrap's.
const prober = `
apiVersion: v1
kind: Pod
metadata: {name: prober, namespace: wso2, labels: {app.kubernetes.io/name: bootstrap}}
spec:
  restartPolicy: Never
  enableServiceLinks: false
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 1
  securityContext: {runAsNonRoot: true, runAsUser: 65532, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: prober
      image: wso2agent-test/prober:1
      args: ["wso2is:9443=wso2am", "wso2am:9443=wso2is"]
      securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
      volumeMounts: [{name: exchange, mountPath: /exchange, subPath: agents, readOnly: true}]
  volumes: [{name: exchange, persistentVolumeClaim: {claimName: exchange}}]
`

var counted = regexp.MustCompile(`handshakes=(\d+) failed=(\d+) down=(\d+)`)

// handshakes are the prober's counts so far: down are connections that no server took.
func (w *world) handshakes() (done, failed, down int) {
	w.t.Helper()
	for _, found := range counted.FindAllStringSubmatch(w.logs("prober", "prober"), -1) {
		done, _ = strconv.Atoi(found[1])
		failed, _ = strconv.Atoi(found[2])
		down, _ = strconv.Atoi(found[3])
	}
	return done, failed, down
}

func TestCertificatesFromOutsideAndWhatChanges(t *testing.T) {
	w := newWorld(t, "tls-files")
	authority := newCA(t)
	w.must("apply", "-k", w.overlay) // the pods wait for their Secrets: kubelet says so
	w.eventually(time.Minute, "an event names the Secret that is missing", func() bool {
		return strings.Contains(w.must("get", "events"), `secret "wso2is-tls" not found`)
	})
	for _, server := range []string{"wso2is", "wso2am"} {
		w.putTLS(server, authority.issue(server))
	}
	w.up()
	w.works()
	w.wantRestarts(nil)
	w.wantStarts(1, 1)
	if out, err := run(prober, "apply", "-f", "-"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	w.in("another API configuration arrives by itself, and nobody restarts", apiConfigChanges)
	w.in("another certificate in a Secret makes a rotation without a failed handshake", func(w *world) {
		w.rotates(authority, "wso2is")
		w.wantStarts(2, 2) // both, in place: to trust it, and to present it
		w.works()
		w.rotates(authority, "wso2am")
		w.wantStarts(3, 3)
		w.wantRestarts(nil)
		w.works()
	})
	w.in("so do those of both servers at once, and one whose peer is deleted meanwhile", func(w *world) {
		w.rotates(authority, "wso2is", "wso2am")
		w.wantRestarts(nil)
		w.works()
		w.putTLS("wso2is", authority.issue("wso2is"))
		w.touch("wso2is-0")
		w.eventually(time.Minute, "the new certificate is announced", func() bool { return w.published("wso2is") == 2 })
		w.replaced("wso2am-0")
		w.ready("wso2is", "wso2am")
		w.proved()
		w.eventually(time.Minute, "the rotation has ended", func() bool { return w.published("wso2is") == 1 })
		w.works()
		w.wantRestarts(nil)
		w.noneFailed()
	})
	w.in("a certificate that does not fit its key is told of, and the server goes on", func(w *world) {
		torn := authority.issue("wso2is")
		torn["tls.key"] = authority.issue("wso2is")["tls.key"]
		w.putTLS("wso2is", torn)
		w.touch("wso2is-0")
		w.eventually(3*time.Minute, "the log names the folder and what is wrong", func() bool {
			return strings.Contains(w.logs("wso2is-0", "agent"), "read the TLS certificate of TLS_FILES_DIR (/tls)")
		})
		w.works()
		w.wantRestarts(nil)
	})
}

// apiConfigChanges waits as long as kubelet takes, which is the one wait of this kind here.
func apiConfigChanges(w *world) {
	example, err := os.ReadFile("../../examples/api-config.yaml")
	if err != nil {
		w.t.Fatal(err)
	}
	text := strings.Replace(string(example), "application:", "  - {name: Seventh API, context: /seventh, version: 1.0.0, backend_url: \"http://notifier:8080\"}\n\napplication:", 1)
	began := time.Now()
	w.put(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "api-config"}, "data": map[string]any{"api-config.yaml": text}})
	w.eventually(4*time.Minute, "the log tells of the seventh API", func() bool { return strings.Contains(w.logs("wso2am-0", "agent"), "Seventh API") })
	w.t.Logf("a changed ConfigMap was acted on after %s", time.Since(began).Round(time.Second))
	w.proved()
	if got := testenv.Count(w.made(), "API Seventh API"); got != 1 {
		w.t.Errorf("it is there %d times", got)
	}
	w.wantRestarts(nil)
	w.wantStarts(1, 1)
	w.works()
}

// noneFailed makes sure that no handshake has failed, and else tells of the first.
func (w *world) noneFailed() {
	w.t.Helper()
	if _, failed, _ := w.handshakes(); failed > 0 {
		_, log, _ := strings.Cut(w.logs("prober", "prober"), "FAILED ")
		line, _, _ := strings.Cut(log, "\n")
		w.t.Fatalf("%d handshakes failed: %s", failed, line)
	}
}

// published counts the certificates that a server's agent has on the exchange.
func (w *world) published(server string) int {
	w.t.Helper()
	n, err := strconv.Atoi(w.node("grep -c BEGIN /folders/exchange/agents/" + server + "/certs.pem"))
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// rotates replaces the Secrets of servers, and waits until each presents its new certificate and nothing of the old ones is
// left on the exchange.
func (w *world) rotates(authority ca, servers ...string) {
	w.t.Helper()
	w.presentOthers(func() {
		for _, server := range servers {
			w.putTLS(server, authority.issue(server))
		}
		for _, server := range servers {
			w.touch(server + "-0")
		}
	}, servers...)
	for _, server := range servers {
		w.eventually(time.Minute, "the old certificate is no longer published", func() bool { return w.published(server) == 1 })
	}
}

// presentOthers changes something, and waits until each of the servers presents another certificate for it, without a failed
// handshake.
func (w *world) presentOthers(change func(), servers ...string) {
	w.t.Helper()
	seen := func() string {
		last := ""
		for _, server := range servers {
			presented := regexp.MustCompile(`(?m)^` + server + `:9443 presents `)
			all := presented.FindAllString(w.logs("prober", "prober"), -1)
			last += fmt.Sprintln(len(all), server)
		}
		return last
	}
	done := 0
	w.eventually(time.Minute, "the prober shakes hands", func() bool { done, _, _ = w.handshakes(); return done > 0 })
	want := ""
	for line := range strings.Lines(seen()) {
		count, server, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, _ := strconv.Atoi(count)
		want += fmt.Sprintln(n+1, server)
	}
	change()
	began := time.Now()
	w.eventually(3*time.Minute, fmt.Sprint(servers, " present the new certificates"), func() bool {
		w.noneFailed()
		return seen() == want
	})
	w.ready("wso2is", "wso2am")
	w.proved()
	w.t.Logf("%s presented other certificates after %s", servers, time.Since(began).Round(time.Second))
	w.noneFailed()
	after, failed, _ := w.handshakes()
	w.t.Logf("%d handshakes meanwhile, %d failed", after-done, failed)
}
