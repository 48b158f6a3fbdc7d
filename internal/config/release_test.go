package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wso2agent/internal/product"
	"wso2agent/internal/remedy"
)

func TestTheReleaseIsThatOfTheImage(t *testing.T) {
	const at = "/home/wso2carbon/"
	for name, c := range map[string]struct {
		traces
		product, want string
	}{
		"nothing to see":                           {traces{}, IS, "7.1.0"},
		"nothing to see of API-M":                  {traces{}, AM, "4.5.0"},
		"the seed":                                 {traces{seed: "wso2is-7.3.0"}, IS, "7.3.0"},
		"the seed and what agrees with it":         {traces{"wso2am-4.7.0", at + "wso2am-4.7.0/", []string{at + "wso2am-4.7.0"}}, AM, "4.7.0"},
		"SERVER_HOME":                              {traces{given: "/opt/wso2is-7.2.0/"}, IS, "7.2.0"},
		"the home next to the agent":               {traces{seen: []string{at + "wso2am-4.6.0"}}, AM, "4.6.0"},
		"SERVER_HOME without a version":            {traces{seed: "wso2is-7.2.0", given: "/opt/is"}, IS, "7.2.0"},
		"a seed without a version":                 {traces{seed: "is", given: "/opt/wso2is-7.3.0"}, IS, "7.3.0"},
		"a seed of the other product":              {traces{seed: "wso2am-4.7.0", given: "/opt/wso2is-7.3.0"}, IS, "7.3.0"},
		"SERVER_HOME among several homes":          {traces{given: at + "wso2is-7.3.0/", seen: []string{at + "wso2is-7.1.0", at + "wso2is-7.3.0"}}, IS, "7.3.0"},
		"a home and one that is too old":           {traces{seen: []string{at + "wso2is-5.11.0", at + "wso2is-7.2.0"}}, IS, "7.2.0"},
		"a version that is newer than the agent's": {traces{seed: "wso2is-8.0.0"}, IS, "8.0.0"},
	} {
		got, err := c.release(c.product)
		if err != nil || got.Product != c.product || got.Version != c.want || got.Assumed != strings.HasPrefix(name, "nothing") {
			t.Errorf("%s: %s, assumed %t, %v, want %s", name, got.Name(), got.Assumed, err, c.want)
		}
	}
}

// A volume at the path of another version is empty for the server, and its data is lost when the container is removed.
func TestVersionsThatDifferAreRefused(t *testing.T) {
	const at = "/home/wso2carbon/"
	for name, c := range map[string]struct {
		traces
		err  error
		says []string
	}{
		"SERVER_HOME and the image":            {traces{seed: "wso2is-7.3.0", given: at + "wso2is-7.1.0"}, ErrOtherRelease, []string{"wso2is-7.3.0", "SERVER_HOME has /home/wso2carbon/wso2is-7.1.0", "remove SERVER_HOME"}},
		"a volume and the image":               {traces{seed: "wso2is-7.3.0", seen: []string{at + "wso2is-7.1.0"}}, ErrOtherRelease, []string{"mounted", "wso2is-7.1.0", "IS_VERSION"}},
		"a volume and the home":                {traces{seen: []string{at + "wso2is-7.1.0", at + "wso2is-7.3.0"}}, ErrOtherRelease, []string{"wso2is-7.1.0", "wso2is-7.3.0"}},
		"patches of one minor version":         {traces{seed: "wso2is-7.1.0", seen: []string{at + "wso2is-7.1.1"}}, ErrOtherRelease, []string{"7.1.1"}},
		"SERVER_HOME in another folder":        {traces{given: "/opt/wso2is-7.3.0", seen: []string{at + "wso2is-7.1.0", at + "wso2is-7.3.0"}}, ErrOtherRelease, []string{"wso2is-7.1.0", "wso2is-7.3.0"}},
		"only a home that is too old":          {traces{seen: []string{at + "wso2is-5.11.0"}}, product.ErrUnsupported, []string{"wso2is-5.11.0", "use a newer image"}},
		"an image that is too old":             {traces{seed: "wso2is-6.1.0"}, product.ErrUnsupported, []string{"wso2is-6.1.0", "it supports 7.0, 7.1", "use a newer image"}},
		"a SERVER_HOME with one that is older": {traces{given: "/opt/wso2is-5.11.0"}, product.ErrUnsupported, []string{"wso2is-5.11.0"}},
	} {
		_, err := c.release(IS)
		if !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v", name, err, c.err)
			continue
		}
		text, remedies := remedy.Split(err)
		for _, part := range c.says {
			if all := text + strings.Join(remedies, ""); !strings.Contains(all, part) {
				t.Errorf("%s: %q does not contain %q", name, all, part)
			}
		}
	}
}

func TestDefaultsFollowTheReleaseOfTheSeed(t *testing.T) {
	volume := t.TempDir()
	seed := filepath.Join(volume, SeedProduct)
	if err := errors.Join(os.MkdirAll(filepath.Dir(seed), 0o700), os.WriteFile(seed, []byte("wso2is-7.0.0\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PRODUCT", IS)
	t.Setenv("CONFIG_DIR", volume)
	t.Setenv("SERVER_HOME", "")
	for name, load := range map[string]func() (Config, error){
		"Load":                 func() (Config, error) { return Load() },
		"Load and For its own": func() (Config, error) { c, err := Load(); return c.For(IS), err },
	} {
		c, err := load()
		if err != nil || c.Release.Version != "7.0.0" || c.Server.Home != "/home/wso2carbon/wso2is-7.0.0" ||
			c.Keystore.File != "wso2carbon.jks" || c.Truststore.File != "client-truststore.jks" {
			t.Errorf("%s: %s, home %s, stores %s and %s, %v", name, c.Release.Name(), c.Server.Home, c.Keystore.File, c.Truststore.File, err)
		}
	}
	if c, err := Load(); err != nil || c.For(AM).Release.Version != "4.5.0" || c.For(AM).Server.Home != "/home/wso2carbon/wso2am-4.5.0" {
		t.Errorf("For the other product: %s, %v", c.For(AM).Release.Name(), err)
	}
	t.Setenv("SERVER_HOME", "/home/wso2carbon/wso2is-7.1.0")
	if c, err := Load(); !errors.Is(err, ErrOtherRelease) {
		t.Errorf("with another SERVER_HOME: %s, %v, want ErrOtherRelease", c.Release.Name(), err)
	}
	t.Setenv("PRODUCT", "")
	if c, err := Load(); err != nil || c.Release.Product != "" || c.For(AM).Release.Version != "4.5.0" || c.For(IS).Release.Version != "7.1.0" {
		t.Errorf("without PRODUCT: %s, For: %s and %s, %v", c.Release.Name(), c.For(AM).Release.Name(), c.For(IS).Release.Name(), err)
	}
}

func TestARunKeepsTheReleaseWithWhichItHasStarted(t *testing.T) {
	volume := t.TempDir()
	seed := filepath.Join(volume, SeedProduct)
	brings := func(home string) {
		if err := errors.Join(os.MkdirAll(filepath.Dir(seed), 0o700), os.WriteFile(seed, []byte(home), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PRODUCT", IS)
	t.Setenv("CONFIG_DIR", volume)
	t.Setenv("SERVER_HOME", "")
	brings("wso2is-7.0.0")
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	var others []string
	load := KeepRelease(func() (Config, error) { return Load() }, c.Release, func(r product.Release) { others = append(others, r.Name()) })
	for _, swap := range []func(){
		func() { os.Remove(seed) }, func() { brings("wso2is-7.3.0") }, func() { brings("wso2is-7.2.0") }, func() { brings("wso2is-7.0.0") },
	} {
		swap()
		if c, err := load(); err != nil || c.Release.Version != "7.0.0" || c.Keystore.File != "wso2carbon.jks" || c.Server.Home != "/home/wso2carbon/wso2is-7.0.0" {
			t.Errorf("%s, store %s in %s, %v, want those of 7.0.0", c.Release.Name(), c.Keystore.File, c.Server.Home, err)
		}
	}
	if strings.Join(others, " ") != "wso2is-7.3.0" {
		t.Errorf("said of other releases: %q, want the first one, once", others)
	}
	brings("wso2is-5.11.0")
	if _, err := load(); !errors.Is(err, product.ErrUnsupported) {
		t.Errorf("a seed that is too old: %v, want ErrUnsupported", err)
	}
}
