// Package product has the facts about each supported version of both products: homes, stores, databases, settings, and
// behaviour that differs. No other package mentions a version.
package product

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// The products, as the setting PRODUCT names them.
const (
	IS = "is" // Identity Server
	AM = "am" // API Manager
)

// ErrUnsupported says that a version is older than those that the agent supports.
var ErrUnsupported = errors.New("the agent does not support this version")

// Release is one version of a product with its facts.
type Release struct {
	Product string // IS or AM
	Version string // such as 7.1.0
	Known   bool   // false: the version is not in the table, and the facts are those of the version before it
	Assumed bool   // nothing shows the version, and this is the default
	Facts
}

// Name returns the name of the home's folder, such as wso2is-7.1.0. The images of both products use it.
func (r Release) Name() string { return prefix(r.Product) + r.Version }

// Prefix returns how the name of a home begins, such as wso2is-.
func (r Release) Prefix() string { return prefix(r.Product) }

// Home returns the home in the product's image.
func (r Release) Home() string { return "/home/wso2carbon/" + r.Name() }

// Default returns the release that the agent takes if it cannot detect the one that it runs next to.
func Default(product string) Release {
	r, _ := Of(product, map[string]string{IS: "7.1.0", AM: "4.5.0"}[product])
	return r
}

// FromHome returns the release whose home has the name or path, such as /home/wso2carbon/wso2is-7.1.0. The seed has the name
// of the home in the image. Errors wrap ErrUnsupported if the version is too old.
func FromHome(home string) (Release, error) {
	name := path.Base(home)
	for _, p := range []string{IS, AM} {
		if version, ok := strings.CutPrefix(name, prefix(p)); ok {
			return Of(p, version)
		}
	}
	return Release{}, fmt.Errorf("%s is no home of a product: want a name such as %s7.1.0 or %s4.5.0", home, prefix(IS), prefix(AM))
}

// Of returns a release by its version. A version that the table does not have gets the facts of the closest older one, and is not Known.
// Patch versions share the facts of their minor version. Errors wrap ErrUnsupported if the version is older than the table.
func Of(product, version string) (Release, error) {
	asked, err := numbers(version)
	if err != nil {
		return Release{}, fmt.Errorf("version %q of product %q: %w", version, product, err)
	}
	var found *Facts
	known := false
	for i, f := range table[product] {
		have, _ := numbers(f.Minor)
		if slices.Compare(have, asked[:2]) <= 0 {
			found, known = &table[product][i], slices.Equal(have, asked[:2])
		}
	}
	if found == nil {
		return Release{}, fmt.Errorf("%s%s: %w: it supports %s", prefix(product), version, ErrUnsupported, strings.Join(Versions(product), ", "))
	}
	return Release{Product: product, Version: version, Known: known, Facts: *found}, nil
}

// Versions lists the minor versions that the table has, such as 7.1, the oldest first.
func Versions(product string) []string {
	var out []string
	for _, f := range table[product] {
		out = append(out, f.Minor)
	}
	return out
}

// Since returns the first minor version of a product of which a fact holds, such as 4.7; empty if there is none.
func Since(product string, holds func(Facts) bool) string {
	for _, f := range table[product] {
		if holds(f) {
			return f.Minor
		}
	}
	return ""
}

// Newer reports whether r is a later version of the same product than other.
func (r Release) Newer(other Release) bool {
	a, _ := numbers(r.Version)
	b, _ := numbers(other.Version)
	return r.Product == other.Product && slices.CompareFunc(a, b, cmp.Compare[int]) > 0
}

// Doubt says what the agent does if it does not know the version of the server, and what a person can do about it. Both are empty
// otherwise.
func (r Release) Doubt() (text, remedy string) {
	switch {
	case r.Product == "":
		return "", ""
	case r.Assumed:
		return "no image or home with a version found: the agent takes " + r.Name(),
			"run the seed step (deploy/seed/seed.sh) in the product's image, or set SERVER_HOME to the home in the image"
	case !r.Known:
		return fmt.Sprintf("the agent does not know %s and treats it like version %s", r.Name(), r.Minor),
			"use an agent that knows this version: agent version lists them"
	}
	return "", ""
}

// Status is Doubt for a condition: it reports whether there is none, and says in one sentence what the version is or what to do.
func (r Release) Status() (ok bool, message string) {
	if doubt, remedy := r.Doubt(); doubt != "" {
		return false, doubt + "; " + remedy
	}
	return true, r.Name()
}

// Older reports whether a home has an older version than another one of the same product. It is false for a name that is not that of a
// home.
func Older(home, than string) bool {
	a, errA := FromHome(home)
	b, errB := FromHome(than)
	return errA == nil && errB == nil && b.Newer(a)
}

func prefix(product string) string { return "wso2" + product + "-" }

func numbers(version string) ([]int, error) {
	var out []int
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return nil, errors.New("want numbers with dots between them, such as 7.1.0")
		}
		out = append(out, n)
	}
	if len(out) < 2 {
		return nil, errors.New("want numbers with dots between them, such as 7.1.0")
	}
	return out, nil
}
