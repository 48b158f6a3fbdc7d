//go:build compose

package compose

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// real reports whether the images that IS_IMAGE and AM_IMAGE name may be those of the real products: `make test-real`. Tests then use
// nothing that only stand-ins have, and wait as long as real servers need.
func real() bool { return os.Getenv("REAL") == "1" }

// startedReal is what a real server logs when a start has come to its end.
const startedReal = "WSO2 Carbon started in "

// patience is how much longer than a stand-in a server may take: real ones start in 30 s to 3 min, and stand-ins in one or two seconds.
func patience(d time.Duration) time.Duration {
	if real() {
		return 10 * d
	}
	return d
}

// standInsOnly skips a test that needs something that only stand-ins have.
func standInsOnly(t *testing.T, needs string) {
	t.Helper()
	if real() {
		t.Skipf("not with images of real servers: it needs %s", needs)
	}
}

// TestMain names the images of a run with real servers, and refuses one without any.
func TestMain(m *testing.M) {
	if real() {
		for _, name := range []string{"IS_IMAGE", "AM_IMAGE"} {
			image := os.Getenv(name)
			if image == "" {
				fmt.Fprintf(os.Stderr, "%s is not set: make test-real needs the images of both servers, for example IS_IMAGE=wso2/wso2is:7.1.0 AM_IMAGE=wso2/wso2am:4.5.0\n", name)
				os.Exit(1)
			}
			label, err := exec.Command("docker", "image", "inspect", "-f", `{{index .Config.Labels "wso2agent.stand-in"}}`, image).Output()
			switch {
			case err != nil:
				fmt.Printf("%s=%s, which Compose pulls\n", name, image)
			case strings.TrimSpace(string(label)) == "true":
				fmt.Printf("%s=%s, which is a stand-in and no real server\n", name, image)
			default:
				fmt.Printf("%s=%s\n", name, image)
			}
		}
	}
	os.Exit(m.Run())
}
