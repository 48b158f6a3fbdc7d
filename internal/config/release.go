package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"wso2agent/internal/file"
	"wso2agent/internal/product"
	"wso2agent/internal/remedy"
)

// ErrOtherRelease says that what the agent sees belongs to different versions of the server: a volume at the wrong path loses its data.
var ErrOtherRelease = errors.New("the versions of the server differ")

// SeedProduct is the file on the config volume in which deploy/seed/seed.sh writes the name of the home in the image of the product.
const SeedProduct = file.WorkDir + "/seed/product"

// homes is the folder in which both products have their home (docker-is and docker-apim, Dockerfile).
const homes = "/home/wso2carbon"

// traces are what shows the version of a server. A name that is not that of a home of the product shows nothing.
type traces struct {
	seed  string   // the home in the image, from SeedProduct
	given string   // SERVER_HOME, if it is set
	seen  []string // the homes next to the agent: the server's own, and those in which volumes are mounted
}

// readTraces reads the traces of the server next to the agent. A seed of another user is none: who uses it says whose it is.
func (c Config) readTraces() (t traces, err error) {
	data, err := file.Read(filepath.Join(c.Server.ConfigDir, SeedProduct), 1<<10)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return t, fmt.Errorf("read which version the server has: %w", err)
	}
	t.seed = strings.TrimSpace(string(data))
	t.given = c.givenHome()
	t.seen, err = filepath.Glob(filepath.Join(homes, product.Default(c.Server.Product).Prefix()+"*"))
	return t, err
}

// release returns the release that the traces show: that of the image, else that of SERVER_HOME, else that of the home next to the
// agent, else the default. If SERVER_HOME is one of several homes next to the agent, the others count for nothing: a person has chosen. A
// home next to the agent that is too old counts only if there is nothing else. Errors wrap ErrOtherRelease or product.ErrUnsupported.
func (t traces) release(name string) (r product.Release, err error) {
	const image, setting, mounted = "the image of the server (its seed on the config volume)", "SERVER_HOME", "the home, or a volume that is mounted in one,"
	what, homes := []string{image, setting}, []string{t.seed, t.given}
	if !slices.Contains(t.seen, path.Clean(t.given)) {
		for _, home := range t.seen {
			what, homes = append(what, mounted), append(homes, home)
		}
	}
	first := ""
	var old error
	for i, home := range homes {
		found, err := product.FromHome(home)
		switch {
		case errors.Is(err, product.ErrUnsupported):
			old = remedy.Add(err, "use a newer image of the product, or an older agent")
			if what[i] != mounted {
				return r, old
			}
		case err != nil || found.Product != name: // seed.Seed.Check refuses the seed of the other product
			continue
		case first == "":
			first, r = what[i], found
		case found.Version != r.Version:
			hint := "give the seed step and the server the same image, and mount the volumes of the server in the home of that image; with Compose, set IS_VERSION or AM_VERSION and not only the image"
			if what[i] == setting {
				hint = "remove SERVER_HOME, or set it to the home in the image"
			}
			return r, remedy.Add(fmt.Errorf("%w: %s has %s, but %s has %s", ErrOtherRelease, first, r.Name(), what[i], path.Clean(home)), "%s", hint)
		}
	}
	if first == "" {
		r = product.Default(name)
		r.Assumed = true
		return r, old
	}
	return r, nil
}

// KeepRelease returns a load whose settings keep the release with which a run has started: the server runs with it, whatever seed a new
// image brings meanwhile, and deploy/seed/seed.sh has no seed in place for a moment. Once, other gets a release that differs.
func KeepRelease(load func() (Config, error), started product.Release, other func(product.Release)) func() (Config, error) {
	var once sync.Once
	return func() (Config, error) {
		c, err := load()
		if err != nil || c.Release == started {
			return c, err
		}
		if !c.Release.Assumed {
			once.Do(func() { other(c.Release) })
		}
		return c.On(started), nil
	}
}
