package product

import (
	"errors"
	"testing"
)

func TestAReleaseIsKnownByItsHome(t *testing.T) {
	for _, c := range []struct {
		home, product, minor string
		known                bool
	}{
		{"/home/wso2carbon/wso2is-7.0.0", IS, "7.0", true},
		{"wso2is-7.1.0", IS, "7.1", true},
		{"wso2is-7.2.0.6", IS, "7.2", true},
		{"wso2is-7.3.0", IS, "7.3", true},
		{"wso2is-7.9.0", IS, "7.3", false},
		{"wso2is-8.0.0", IS, "7.3", false},
		{"wso2am-4.4.0", AM, "4.4", true},
		{"wso2am-4.5.0", AM, "4.5", true},
		{"wso2am-4.6.0", AM, "4.6", true},
		{"wso2am-4.7.0", AM, "4.7", true},
		{"wso2am-4.10.0", AM, "4.7", false},
	} {
		r, err := FromHome(c.home)
		if err != nil || r.Product != c.product || r.Minor != c.minor || r.Known != c.known {
			t.Errorf("%s: %s with the facts of %s, known %t, %v; want %s, %s, %t", c.home, r.Product, r.Minor, r.Known, err, c.product, c.minor, c.known)
		}
	}
}

func TestAnOlderVersionIsRefused(t *testing.T) {
	for _, home := range []string{"wso2is-6.1.0", "wso2is-5.11.0", "wso2am-4.3.0", "wso2am-3.2.0"} {
		if _, err := FromHome(home); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v, want ErrUnsupported", home, err)
		}
	}
	for _, home := range []string{"", "wso2is", "wso2is-", "wso2is-7", "wso2is-x.y", "wso2mi-4.5.0", "wso2is-7.-1"} {
		if r, err := FromHome(home); err == nil || errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v, %v, want an error that says what a home is called", home, r, err)
		}
	}
}

func TestTheLaterVersionIsNewer(t *testing.T) {
	is := func(version string) Release { r, _ := Of(IS, version); return r }
	am := func(version string) Release { r, _ := Of(AM, version); return r }
	if !is("7.10.0").Newer(is("7.9.9")) || is("7.1.0").Newer(is("7.1.0")) || is("7.1.0").Newer(is("7.1.0.1")) || is("7.1.0").Newer(am("4.5.0")) {
		t.Error("Newer does not compare versions number by number within a product")
	}
}

func TestTheDefaultsAreInTheTable(t *testing.T) {
	for product, home := range map[string]string{IS: "/home/wso2carbon/wso2is-7.1.0", AM: "/home/wso2carbon/wso2am-4.5.0"} {
		if r := Default(product); r.Home() != home || !r.Known {
			t.Errorf("Default(%s) is %s, known %t, want %s", product, r.Home(), r.Known, home)
		}
	}
}

func TestTheFirstVersionWithAFactIsFound(t *testing.T) {
	if got := Since(AM, func(f Facts) bool { return f.KeyManagerByTLS }); got != "4.6" {
		t.Errorf("key managers by TLS since %q, want 4.6", got)
	}
	if got := Since(IS, func(f Facts) bool { return f.JDK == 8 }); got != "" {
		t.Errorf("Java 8 since %q, want none", got)
	}
}

func TestAVersionInDoubtIsSaidWithTheRemedy(t *testing.T) {
	known := Default(IS)
	newer, _ := Of(IS, "7.9.0")
	assumed := known
	assumed.Assumed = true
	for _, c := range []struct {
		release Release
		ok      bool
		message string
	}{
		{known, true, "wso2is-7.1.0"},
		{newer, false, "the agent does not know wso2is-7.9.0 and treats it like version 7.3; use an agent that knows this version: agent version lists them"},
		{assumed, false, "no image or home with a version found: the agent takes wso2is-7.1.0; run the seed step (deploy/seed/seed.sh) in the product's image, or set SERVER_HOME to the home in the image"},
	} {
		if ok, message := c.release.Status(); ok != c.ok || message != c.message {
			t.Errorf("%s: %t, %q, want %t, %q", c.release.Name(), ok, message, c.ok, c.message)
		}
	}
	if doubt, _ := (Release{}).Doubt(); doubt != "" {
		t.Errorf("without PRODUCT: %q, want nothing", doubt)
	}
}
