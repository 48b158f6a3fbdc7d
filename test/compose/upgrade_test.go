//go:build compose

package compose

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/keystore"
	"wso2agent/test/upgrade"
)

// The settings of IS are somebody's own from before its first start, with a password of IS's that the agents do not know.
// They go through the corrected password, another version of both products' images, and another one of the agent's.
func TestSettingsOfOnesOwnAndUpgrades(t *testing.T) {
	standInsOnly(t, "a second version of each image, made from the stand-ins' stores")
	w := newWorld(t)
	own := strings.Replace(string(w.shipped(is, "repository/conf/deployment.toml")), `password = "admin"`, `password = "of-somebody" # ours`, 1) +
		"\n[transport.https.properties]\nmaxThreads = \"300\"\n"
	w.shellWith(map[string][]byte{"deployment.toml": []byte(own)}, one(t))
	w.in("a password of IS that its settings keep ends the first up with a line that says so", func(w *world) {
		w.upEndsAt("bootstrap", 4, []string{"IS refuses the password of its administrator", "HTTP 401", "check IS_ADMIN_USER and IS_ADMIN_PASS"})
		if log := w.compose("logs", "--no-color", "is-init"); !strings.Contains(log, "super_admin.password") {
			w.t.Errorf("nobody is told that the settings have another password:\n%s", log)
		}
	})
	var made string
	w.in("with the right one all works", func(w *world) {
		w.env["IS_ADMIN_PASS"] = "of-somebody"
		w.up()
		w.works()
		w.complete()
		w.wantStarts(1, 1)
		made = w.made()
	})
	// Servers that are new take their administrators' passwords from the settings; later on a change there is only wrong.
	w.in("a wrong password of API-M ends up with a line that says so", func(w *world) {
		w.env["SETTINGS"], w.env["AM_ADMIN_PASS"] = "none", "mistaken"
		w.upEndsAt("bootstrap", 4, []string{"AM_ADMIN_PASS"})
		delete(w.env, "SETTINGS")
		delete(w.env, "AM_ADMIN_PASS")
	})
	w.in("new images of the products are merged with what is one's own", func(w *world) {
		_, ours := tlsStore(w.t)
		w.put(ours, "cat >/tmp/ours.pem; /agent/agent certs import --store "+am.store+" --alias ours --cert /tmp/ours.pem")
		w.next(is, "IS_IMAGE", [2]string{`password = "admin"`, `password = "another-stock-one"`}, [2]string{"[server]\n", "[server]\nforce_local_cache = true\n"})
		w.next(am, "AM_IMAGE", [2]string{"[server]\n", "[server]\nforce_local_cache = true\n"})
		w.up()
		w.works()
		w.wantStarts(1, 1) // of new containers
		w.wantMade(made)
		settings := string(w.file(is.service, is.home+"repository/conf/deployment.toml"))
		for _, part := range []string{`password = "of-somebody" # ours`, `maxThreads = "300"`, "force_local_cache = true", `hostname = "wso2is"`} {
			if !strings.Contains(settings, part) {
				w.t.Errorf("IS runs without %s in its settings:\n%s", part, settings)
			}
		}
		if settings := string(w.file(am.service, am.home+"repository/conf/deployment.toml")); !strings.Contains(settings, "force_local_cache = true") {
			w.t.Errorf("API-M runs without the new image's setting:\n%s", settings)
		}
		trusted := aliases(w.t, w.file(am.service, am.home+am.store))
		for alias, want := range map[string]bool{"standinrootca1": false, "standinrootca2": true, "of-the-new-image": true, "ours": true, "wso2is": true, "wso2am": true} {
			if slices.Contains(trusted, alias) != want {
				w.t.Errorf("API-M trusts %v; %s should be there: %v", trusted, alias, want)
			}
		}
		log := w.compose("logs", "--no-color", "is-init")
		if !strings.Contains(log, "not taken over from the new image") || !strings.Contains(log, "taken over from the new image: added") {
			w.t.Errorf("IS's init does not tell what came and what stayed:\n%s", log)
		}
		if strings.Contains(log, "of-somebody") || strings.Contains(log, "another-stock-one") {
			w.t.Error("a password is in the log")
		}
	})
	w.in("a new version of the agent takes the place of the one before, everywhere", func(w *world) {
		w.nextAgent()
		w.up()
		w.works()
		w.wantStarts(1, 1) // of new containers
		w.wantMade(made)
		for _, program := range [][]string{{"is-agent", "/agent"}, {"am-agent", "/agent"}, {"backend", "/agent"}, {"wso2is", "/agent/agent"}, {"wso2am", "/agent/agent"}} {
			if said := w.must("exec", "-T", program[0], program[1], "version"); !strings.HasPrefix(said, "agent test (") {
				w.t.Errorf("%s has %s", program[0], said)
			}
		}
	})
}

// The volumes are those of the version before. Only the agents next to the servers change first: the servers go on under the
// agent exec of the version before. Then everything comes up with the new version.
func TestAnInstallationOfTheVersionBeforeGetsItsSuccessors(t *testing.T) {
	w := newWorld(t)
	w.reloadSoon()
	w.agentBefore()
	w.up()
	w.works()
	w.wantStarts(1, 1)
	made, published := w.made(), w.inUse("wso2is")
	if out, err := exec.Command("docker", "cp", w.container("am-agent")+":/exchange/wso2is/successors.pem", "-").CombinedOutput(); err == nil {
		t.Fatalf("the version before publishes successors: %s", out)
	}
	servers := func() (ids string) { return w.inspect("wso2is", "{{.Id}}") + w.inspect("wso2am", "{{.Id}}") }
	before := servers()
	delete(w.env, "AGENT_IMAGE")
	w.in("the sidecars make the pool at once, and nothing restarts for it", func(w *world) {
		w.must("up", "-d", "--no-build", "--no-deps", "is-agent", "am-agent")
		w.eventually(time.Minute, "both pools are published", func() bool { return len(w.successors(is)) == 3 && len(w.successors(am)) == 3 })
		w.ready("is-agent", "am-agent")
		time.Sleep(15 * time.Second) // longer than the quiet period after which a restart follows a change
		w.works()
		w.wantStarts(1, 1)
		w.wantMade(made)
		if servers() != before {
			w.t.Error("a server has another container")
		}
		if !bytes.Equal(w.inUse("wso2is"), published) {
			w.t.Error("IS has another certificate")
		}
	})
	w.in("after up all servers trust the pool, and a rotation restarts none", func(w *world) {
		w.up()
		w.t.Logf("servers in new containers: %v", servers() != before)
		for p, peer := range map[product]product{is: am, am: is} {
			for _, name := range w.successors(peer) {
				if !slices.Contains(aliases(w.t, w.file(p.service, p.home+p.store)), name) {
					w.t.Errorf("%s runs without %s in its truststore", p.service, name)
				}
			}
		}
		w.works()
		w.wantMade(made)
		is, am := w.starts("wso2is"), w.starts("wso2am")
		if !bytes.Equal(w.inUse("wso2is"), published) {
			w.t.Error("IS has another certificate")
		}
		if said := w.must("exec", "-T", "is-agent", "/agent", "certs", "rotate"); !strings.HasPrefix(said, "no restart: ") {
			w.t.Errorf("a rotation is not without a restart:\n%s", said)
		}
		e := endpoint{"IS", "wso2is", w.address("wso2is", "9443")}
		w.eventually(2*time.Minute, "IS serves another certificate", func() bool {
			leaf, err := served(e, w.ahead())
			return err == nil && !bytes.Equal(leaf, published) && bytes.Equal(leaf, w.inUse("wso2is"))
		})
		w.ready("is-agent", "am-agent")
		w.works()
		w.wantStarts(is, am)
	})
}

// successors are the aliases under which peers import the successors that a server's agent has published; none before that.
func (w *world) successors(p product) (names []string) {
	to := filepath.Join(w.t.TempDir(), "successors.pem")
	if exec.Command("docker", "cp", w.container("am-agent")+":/exchange/"+p.service+"/successors.pem", to).Run() != nil {
		return nil
	}
	data, err := os.ReadFile(to)
	if err != nil {
		w.t.Fatal(err)
	}
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return names
		}
		if bytes.Equal(block.Bytes, w.inUse(p.service)) { // it stands in both files
			continue
		}
		names = append(names, fmt.Sprintf("%s-%x", p.service, sha256.Sum256(block.Bytes))[:len(p.service)+9])
	}
}

// agentBefore builds an image with the agent of the version before, and makes the world use it.
func (w *world) agentBefore() {
	w.t.Helper()
	commit, err := os.ReadFile("../upgrade/testdata/COMMIT")
	if err != nil {
		w.t.Fatal(err)
	}
	dir := w.t.TempDir()
	if _, err := upgrade.Build(w.t.Context(), strings.TrimSpace(string(commit)), dir); err != nil {
		w.t.Skipf("the version before is not at hand: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM wso2agent:latest\nCOPY agent /agent\n"), 0o644); err != nil {
		w.t.Fatal(err)
	}
	w.env["AGENT_IMAGE"] = "wso2agent-test/agent:before"
	w.docker("build", "-q", "-t", w.env["AGENT_IMAGE"], dir)
}

// product is what its image has.
type product struct{ service, image, home, store, user string }

var (
	is = product{"wso2is", cmp.Or(os.Getenv("IS_IMAGE"), "wso2/wso2is:7.1.0"), "/home/wso2carbon/wso2is-7.1.0/", "repository/resources/security/client-truststore.p12", "802:802"}
	am = product{"wso2am", cmp.Or(os.Getenv("AM_IMAGE"), "wso2/wso2am:4.5.0"), "/home/wso2carbon/wso2am-4.5.0/", "repository/resources/security/client-truststore.jks", "10001:10001"}
)

// shipped is a file of a product's image.
func (w *world) shipped(p product, path string) []byte {
	w.t.Helper()
	data, err := exec.Command("docker", "run", "--rm", "--entrypoint", "cat", p.image, p.home+path).Output()
	if err != nil {
		w.t.Fatalf("read %s of %s: %v", path, p.image, err)
	}
	return data
}

// next builds another version of a product's image, and makes the world use it: with changed settings, and with one
// authority more in the truststore and one less.
func (w *world) next(p product, variable string, changes ...[2]string) {
	w.t.Helper()
	settings := string(w.shipped(p, "repository/conf/deployment.toml"))
	for _, c := range changes {
		if !strings.Contains(settings, c[0]) {
			w.t.Fatalf("the settings of %s have no %q", p.image, c[0])
		}
		settings = strings.Replace(settings, c[0], c[1], 1)
	}
	s, err := keystore.Open(w.shipped(p, p.store), "wso2carbon")
	if err != nil {
		w.t.Fatal(err)
	}
	first, err := s.Entry("standinrootca1")
	if err == nil {
		err = s.SetTrusted("of-the-new-image", first.Chain[0], time.Now())
	}
	if err == nil {
		err = s.Delete("standinrootca1")
	}
	if err != nil {
		w.t.Fatal(err)
	}
	store, err := s.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	dir := w.t.TempDir()
	for name, content := range map[string]string{
		"Dockerfile":                           "FROM " + p.image + "\nLABEL version=next\nCOPY --chown=" + p.user + " home " + p.home + "\n",
		"home/repository/conf/deployment.toml": settings,
		"home/" + p.store:                      string(store),
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			w.t.Fatal(err)
		}
	}
	w.env[variable] = "wso2agent-test/" + p.service + ":next"
	w.docker("build", "-q", "-t", w.env[variable], dir)
}

// nextAgent builds another version of the agent's image, and makes the world use it.
func (w *world) nextAgent() {
	w.t.Helper()
	w.env["AGENT_IMAGE"] = "wso2agent-test/agent:next"
	w.env["VERSION"], w.env["SOURCE_DATE_EPOCH"] = "test", "1700000000" // its layers are there, from the tests of the image
	began := time.Now()
	w.must("build", "--quiet")
	w.t.Logf("the build took %s", time.Since(began).Round(time.Second))
}

// aliases are the names of all entries of a store.
func aliases(t *testing.T, data []byte) (names []string) {
	t.Helper()
	s, err := keystore.Open(data, "wso2carbon")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range s.Entries() {
		names = append(names, e.Alias)
	}
	return names
}

// wantMade makes sure that what was made on the servers is still that, and nothing else.
func (w *world) wantMade(before string) {
	w.t.Helper()
	if now := w.made(); now != before {
		w.t.Errorf("made before:\n%s\nand now:\n%s", before, now)
	}
}
