// Package seed_test runs seed.sh on a home of its own making, in every shell that an image of the products may have.
package seed_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"wso2agent/internal/testenv"
)

const templates = "repository/resources/conf/templates/repository/conf/"

// seeding is a fake home, and volumes that are not there yet.
type seeding struct {
	t    *testing.T
	sh   []string
	root string
	home string
	env  []string
	uid  uint32 // of the process; the tests' own if 0
}

func newSeeding(t *testing.T, product string) *seeding {
	t.Helper()
	root := t.TempDir()
	s := &seeding{t: t, sh: []string{"sh"}, root: root, home: filepath.Join(root, "home", product)}
	for path, content := range map[string]string{
		"repository/resources/security/client-truststore.p12": "truststore",
		"repository/resources/security/below/profile.xml":     "profile",
		"repository/conf/deployment.toml":                     "[server]\n",
		"repository/conf/carbon.xml":                          "not to be copied",
		"repository/conf/log4j2.properties":                   "logging",
		templates + "tomcat/catalina-server.xml.j2":           "template",
		templates + "tomcat/context.xml.j2":                   "not to be copied",
		"repository/database/WSO2CARBON_DB.mv.db":             "carbon",
		"repository/database/WSO2SHARED_DB.mv.db":             "shared",
		"repository/database/.hidden/part":                    "hidden",
		"dbscripts/postgresql.sql":                            "CREATE",
		"dbscripts/apimgt/postgresql.sql":                     "CREATE",
	} {
		s.put(filepath.Join("home", product, path), content)
	}
	// The real one writes out what every other program of the machine has in memory, which can take a while.
	s.put("bin/sync", "#!/bin/sh\n")
	if err := os.Chmod(s.at("bin/sync"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.env = []string{s.path(), "SERVER_HOME=" + s.home, "CONFIG_DIR=" + s.at("config")}
	// The folders of a test's own temporary one are closed to others.
	for dir := root; strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func (s *seeding) at(path string) string { return filepath.Join(s.root, path) }

func (s *seeding) put(path, content string) {
	s.t.Helper()
	if err := os.MkdirAll(filepath.Dir(s.at(path)), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.at(path), []byte(content), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// path is the script's PATH, with folders of programs before the usual ones.
func (s *seeding) path(before ...string) string {
	return "PATH=" + strings.Join(append(before, s.at("bin"), os.Getenv("PATH")), ":")
}

func (s *seeding) set(variable, folder string) { s.env = append(s.env, variable+"="+s.at(folder)) }

func (s *seeding) command() *exec.Cmd {
	s.t.Helper()
	script, err := filepath.Abs("seed.sh")
	if err != nil {
		s.t.Fatal(err)
	}
	if s.uid != 0 { // to another user the checkout may be closed
		content, err := os.ReadFile(script)
		if err != nil {
			s.t.Fatal(err)
		}
		s.put("seed.sh", string(content))
		script = s.at("seed.sh")
	}
	cmd := exec.Command(s.sh[0], append(s.sh[1:], script)...)
	cmd.Env, cmd.Dir = s.env, s.root
	if s.uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: s.uid, Gid: s.uid}}
	}
	return cmd
}

func (s *seeding) succeeds() string {
	s.t.Helper()
	out, err := s.command().CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// fails runs the script and wants one line of complaint with all the parts.
func (s *seeding) fails(parts ...string) {
	s.t.Helper()
	out, err := s.command().CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		s.t.Fatalf("%v\n%s", err, out)
	}
	for _, part := range parts {
		if !strings.Contains(string(out), part) {
			s.t.Errorf("%q is not in:\n%s", part, out)
		}
	}
}

// files are the files below a folder with their content.
func (s *seeding) files(folder string) map[string]string {
	s.t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(s.at(folder), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		relative, _ := filepath.Rel(s.at(folder), path)
		out[relative] = string(content)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Fatal(err)
	}
	return out
}

func (s *seeding) holds(folder string, want map[string]string) {
	s.t.Helper()
	got := s.files(folder)
	for path, content := range want {
		if got[path] != content {
			s.t.Errorf("%s/%s = %q, want %q", folder, path, got[path], content)
		}
	}
	for path := range got {
		if _, ok := want[path]; !ok {
			s.t.Errorf("%s/%s was not expected", folder, path)
		}
	}
}

var (
	database = map[string]string{"WSO2CARBON_DB.mv.db": "carbon", "WSO2SHARED_DB.mv.db": "shared", ".hidden/part": "hidden"}
	stock    = map[string]string{
		".agent/seed/product": "wso2am-4.5.0\n",
		".agent/seed/databases": "28d79d50ff515a797803c4d5297b8feb12e0bbdb60fd38441aba6ffaf42a0b5f 6 WSO2CARBON_DB.mv.db\n" +
			"a4d26868017c0ccffe2efe50944ef4211834660cca834c6e9f86dec6a88246fa 6 WSO2SHARED_DB.mv.db\n",
		".agent/seed/repository/resources/security/client-truststore.p12": "truststore",
		".agent/seed/repository/resources/security/below/profile.xml":     "profile",
		".agent/seed/repository/conf/deployment.toml":                     "[server]\n",
		".agent/seed/repository/conf/log4j2.properties":                   "logging",
		".agent/seed/" + templates + "tomcat/catalina-server.xml.j2":      "template",
	}
)

func TestEverythingThatTheServerShipsComesOntoItsVolumesInEveryShell(t *testing.T) {
	for name, sh := range map[string][]string{"dash": {"dash"}, "bash": {"bash", "--posix"}, "ash": {"busybox", "ash"}} {
		t.Run(name, func(t *testing.T) {
			testenv.Command(t, sh[0])
			s := newSeeding(t, "wso2am-4.5.0")
			s.sh = sh
			s.set("DATABASE_DIR", "database")
			s.set("SOLR_DIR", "solr")
			s.set("DBSCRIPTS_DIR", "scripts")
			s.put("database/lost+found/x", "") // as a new volume of ext4 has it
			if out := s.succeeds(); strings.Count(out, "\n") != 4 {
				t.Errorf("it tells:\n%s", out)
			}
			withLost := map[string]string{"lost+found/x": ""}
			for path, content := range database {
				withLost[path] = content
			}
			s.holds("config", stock)
			s.holds("database", withLost)
			s.holds("solr", nil) // the product ships none
			s.holds("scripts", map[string]string{"am/postgresql.sql": "CREATE", "am/apimgt/postgresql.sql": "CREATE"})

			s.put("database/WSO2CARBON_DB.mv.db", "in use")
			s.put("home/wso2am-4.5.0/repository/conf/deployment.toml", "[new]\n")
			s.put("home/wso2am-4.5.0/dbscripts/postgresql.sql", "NEW")
			for _, path := range []string{"repository/resources/security/below/profile.xml", templates + "tomcat/catalina-server.xml.j2"} {
				if err := os.Remove(s.at("home/wso2am-4.5.0/" + path)); err != nil {
					t.Fatal(err)
				}
			}
			s.succeeds()
			if got := s.files("database")["WSO2CARBON_DB.mv.db"]; got != "in use" {
				t.Errorf("a second run overwrote a database: %q", got)
			}
			s.holds("config", map[string]string{
				".agent/seed/product":   "wso2am-4.5.0\n",
				".agent/seed/databases": stock[".agent/seed/databases"],
				".agent/seed/repository/resources/security/client-truststore.p12": "truststore",
				".agent/seed/repository/conf/deployment.toml":                     "[new]\n",
				".agent/seed/repository/conf/log4j2.properties":                   "logging",
			})
			s.holds("scripts", map[string]string{"am/postgresql.sql": "NEW", "am/apimgt/postgresql.sql": "CREATE"})
		})
	}
}

// TestARunThatIsKilledAnywhereIsMadeGoodByTheNext puts a program in front of every one that the script uses, which kills the
// script before its n-th call.
func TestARunThatIsKilledAnywhereIsMadeGoodByTheNext(t *testing.T) {
	for n := 1; ; n++ {
		s := newSeeding(t, "wso2am-4.5.0")
		s.set("DATABASE_DIR", "database")
		s.set("DBSCRIPTS_DIR", "scripts")
		usual := slices.Clone(s.env)
		s.env = append(s.env, s.path(s.killers(n)), "COUNT="+s.at("count"))
		if err := s.command().Run(); err == nil {
			if n < 15 {
				t.Errorf("the script called only %d programs", n)
			}
			return
		}
		config := s.files("config")
		if _, named := config[".agent/seed/product"]; named && len(config) < len(stock) {
			t.Errorf("killed before call %d: half a seed has its name: %v", n, config)
		}
		s.env = usual
		s.succeeds()
		s.holds("config", stock)
		s.holds("database", database)
		s.holds("scripts", map[string]string{"am/postgresql.sql": "CREATE", "am/apimgt/postgresql.sql": "CREATE"})
		for _, folder := range []string{"database", "config/.agent", "scripts/am"} {
			for _, pattern := range []string{".agent-*", "seed.*"} {
				left, err := filepath.Glob(filepath.Join(s.at(folder), pattern))
				if err != nil || len(left) > 0 {
					t.Errorf("killed before call %d: left in %s: %v, %v", n, folder, left, err)
				}
			}
		}
	}
}

// killers is a folder with stand-ins of the programs that change something.
func (s *seeding) killers(n int) string {
	s.t.Helper()
	for _, name := range []string{"cp", "mv", "rm", "rmdir", "mkdir", "chmod"} {
		s.put("killers/"+name, "#!/bin/sh\necho >>\"$COUNT\"\n"+`if [ "$(wc -l <"$COUNT")" -eq `+strconv.Itoa(n)+` ]; then kill -9 "$PPID"; exit 1; fi`+
			"\nexec "+testenv.Command(s.t, name)+` "$@"`+"\n")
		if err := os.Chmod(s.at("killers/"+name), 0o755); err != nil {
			s.t.Fatal(err)
		}
	}
	return s.at("killers")
}

func TestAFileThatCameBetweenTwoHalvesOfASeedIsNotOverwritten(t *testing.T) {
	s := newSeeding(t, "wso2am-4.5.0")
	s.set("DATABASE_DIR", "database")
	s.put("database/.agent-seed/WSO2CARBON_DB.mv.db", "carbon")
	s.put("database/WSO2CARBON_DB.mv.db", "made by a server meanwhile")
	s.fails("WSO2CARBON_DB.mv.db has been put there since", "remove")
	if got := s.files("database")["WSO2CARBON_DB.mv.db"]; got != "made by a server meanwhile" {
		t.Errorf("it was overwritten: %q", got)
	}
}

func TestACopyThatWasCutShortBeginsAnew(t *testing.T) {
	s := newSeeding(t, "wso2am-4.5.0")
	s.set("DATABASE_DIR", "database")
	s.put("database/.agent-seed.new/WSO2CARBON_DB.mv.db", "ca")
	s.put("config/.agent/seed.new/product", "half")
	s.succeeds()
	s.holds("database", database)
	s.holds("config", stock)
}

func TestMistakesAreNamedWithTheirRemedy(t *testing.T) {
	t.Run("no home", func(t *testing.T) {
		s := newSeeding(t, "wso2am-4.5.0")
		s.set("SERVER_HOME", "nowhere")
		s.fails("/nowhere has no repository/resources/security", "SERVER_HOME")
	})
	t.Run("no product in the image", func(t *testing.T) {
		s := newSeeding(t, "wso2am-4.5.0")
		s.env = append(s.env, "SERVER_HOME=")
		if _, err := os.Stat("/home/wso2carbon"); err == nil {
			t.Skip("there is a product here")
		}
		s.fails("there is no product in /home/wso2carbon", "SERVER_HOME")
	})
	t.Run("a home that could be either product's", func(t *testing.T) {
		s := newSeeding(t, "server")
		s.set("DBSCRIPTS_DIR", "scripts")
		s.fails("which product", "DBSCRIPTS_DIR")
	})
	t.Run("a file where the volume should be", func(t *testing.T) {
		s := newSeeding(t, "wso2am-4.5.0")
		s.put("config", "")
		s.fails("cannot make", "CONFIG_DIR")
	})
}

func TestAnotherUsersVolumeIsNamedWithTheOwnerThatItNeeds(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can run as another user")
	}
	s := newSeeding(t, "wso2is-7.1.0")
	chown := func(path string, uid int) {
		t.Helper()
		if err := filepath.WalkDir(s.at(path), func(p string, _ fs.DirEntry, err error) error { return errors.Join(err, os.Chown(p, uid, uid)) }); err != nil {
			t.Fatal(err)
		}
	}
	chown("home", 802)
	s.fails("runs as root", `user: "802:802"`)

	s.uid = 802
	s.fails("cannot make", "config (CONFIG_DIR) as user 802:802", "802:802")
	s.put("config/x", "")
	s.fails("user 802:802 cannot write", "belongs to 0:0", "chown the volume to 802:802")
	if len(s.files("config")) != 1 {
		t.Errorf("something was written: %v", s.files("config"))
	}
	chown("config", 802)
	// What nobody may write to in the image must not be in the way of the next run.
	for _, path := range []string{"home/wso2is-7.1.0/repository/resources/security/below", "home/wso2is-7.1.0/repository/resources/security"} {
		if err := os.Chmod(s.at(path), 0o555); err != nil {
			t.Fatal(err)
		}
	}
	s.succeeds()
	s.succeeds()
	info, err := os.Stat(s.at("config/.agent/seed/repository/resources/security/client-truststore.p12"))
	if err != nil || info.Sys().(*syscall.Stat_t).Uid != 802 {
		t.Errorf("the seed's file: %v, %v", info, err)
	}
}
