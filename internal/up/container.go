package up

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/docker"
	"wso2agent/internal/file"
	"wso2agent/internal/keystore"
	"wso2agent/internal/remedy"
	"wso2agent/internal/trust"
)

// volumes are the folders that the entrypoints of both products copy over the home at every start, the last one first: what it holds
// counts.
var volumes = []string{"/home/wso2carbon/wso2-artifact-volume", "/home/wso2carbon/wso2-config-volume"}

// container is a server in a container.
type container struct {
	target Target
	engine *docker.Engine
	facts  docker.Container
	cfg    config.Config // for the product
	home   string        // once check has found it
}

func (c *container) String() string {
	return fmt.Sprintf("%s in container %s", c.target.title(), c.facts.Name)
}

// homeVariable is the home of the server in the images of both products (docker-is and docker-apim, Dockerfile).
const homeVariable = "WSO2_SERVER_HOME"

// check makes sure that the container runs the product, so that no step touches a server of somebody else by a mistaken name. It finds
// the home: the one that the image names, or SERVER_HOME with its default.
func (c *container) check(ctx context.Context) (err error) {
	refuse := func(hint, format string, args ...any) error {
		err := fmt.Errorf("%w: container %s %s", ErrPermanent, c.facts.Name, fmt.Sprintf(format, args...))
		return remedy.Add(err, hint, c.target.Product, setting(c.target.Product))
	}
	const other = "name the right one with --%s-container or %s_CONTAINER"
	c.home = c.cfg.Server.Home
	if named := c.facts.Env.Get(homeVariable); named != "" && !c.cfg.Given("SERVER_HOME") {
		c.home = named
	}
	if !strings.HasPrefix(path.Base(c.home), c.cfg.Release.Prefix()) && !c.cfg.Given("SERVER_HOME") {
		return refuse(other, "is of the image %s and has its server in %s, which is not %s", c.facts.Image, c.home, c.target.title())
	}
	if c.cfg, err = atHome(c.cfg, c.target.Product, c.home); err != nil {
		return err
	}
	if !c.facts.Running {
		return remedy.Add(fmt.Errorf("%w: container %s does not run", ErrPermanent, c.facts.Name), "docker start %s", c.facts.Name)
	}
	there, err := c.engine.Exists(ctx, c.facts.ID, path.Join(c.home, settingsPath))
	if err != nil {
		return err
	}
	if !there {
		return refuse(other, "of the image %s has no %s: it does not run %s", c.facts.Image, path.Join(c.home, settingsPath), c.target.title())
	}
	if port, elsewhere := publishedElsewhere(c.facts, c.target.URL); elsewhere {
		return remedy.Add(fmt.Errorf("%w: container %s publishes its port %s at %d, and not at the port of %s", ErrPermanent, c.facts.Name, defaultPort, port, c.target.URL),
			"correct --%s or --%[1]s-container", c.target.Product)
	}
	if c.engine.Local() && hidden(c.facts) && onThisMachine(c.target.URL) {
		return remedy.Add(fmt.Errorf("%w: container %s publishes no port %s, so another server answers at %s", ErrPermanent, c.facts.Name, defaultPort, c.target.URL),
			"publish the port, or correct --%s or --%[1]s-container", c.target.Product)
	}
	return nil
}

// hidden reports whether the port of the server is at no port of the engine's machine. A container in the network of another one has the
// ports of that one.
func hidden(c docker.Container) bool {
	inner, _ := strconv.Atoi(defaultPort)
	return len(c.Ports[inner]) == 0 && c.Network != "host" && !strings.HasPrefix(c.Network, "container:")
}

// at reports whether the container publishes the port of the server at address, on this machine.
func (c *container) at(address string) bool {
	_, elsewhere := publishedElsewhere(c.facts, address)
	inner, _ := strconv.Atoi(defaultPort)
	return c.engine.Local() && onThisMachine(address) && !elsewhere && (len(c.facts.Ports[inner]) > 0 || c.facts.Network == "host")
}

// publishedElsewhere reports whether a container publishes the port of the server at other ports of this machine than the one in
// address. A container that publishes it nowhere is reached in some other way.
func publishedElsewhere(c docker.Container, address string) (port int, elsewhere bool) {
	u, err := url.Parse(address)
	inner, _ := strconv.Atoi(defaultPort)
	if published := c.Ports[inner]; err == nil && len(published) > 0 && loopback(u.Hostname()) {
		wanted, err := strconv.Atoi(u.Port())
		if u.Port() == "" {
			wanted, err = inner, nil
		}
		return published[0], err == nil && !slices.Contains(published, wanted)
	}
	return 0, false
}

// together makes sure that two containers are of one installation.
func together(is, am docker.Container) error {
	switch {
	case is.ID == am.ID:
		return remedy.Add(fmt.Errorf("%w: both servers have the container %s", ErrPermanent, is.Name), "name two with --is-container and --am-container")
	case is.Project() != "" && am.Project() != "" && is.Project() != am.Project():
		return remedy.Add(fmt.Errorf("%w: container %s belongs to the Compose project %s, and container %s to %s", ErrPermanent, is.Name, is.Project(), am.Name, am.Project()),
			"name two of one project with --is-container and --am-container")
	}
	return nil
}

// roots are the folders that can hold a file of the server, the one that counts first. Something may be mounted only below a volume, such
// as the folder of the stores, and the entrypoint copies that too.
func (c *container) roots() []string { return append(slices.Clone(volumes), c.home) }

// find returns a file of the server from the root that counts.
func (c *container) find(ctx context.Context, relative string) (root string, f docker.File, err error) {
	for _, root = range c.roots() {
		if f, err = c.engine.Read(ctx, c.facts.ID, path.Join(root, relative)); !errors.Is(err, docker.ErrNotFound) {
			return root, f, err
		}
	}
	return root, f, err
}

func (c *container) read(ctx context.Context) (f Files, err error) {
	_, toml, err := c.find(ctx, settingsPath)
	if err != nil {
		return f, err
	}
	if f.setting, err = settings(c.cfg, toml.Data); err != nil {
		return f, err
	}
	keys, own, err := c.find(ctx, storePath(f.setting.Keystore.File))
	if err != nil {
		return f, err
	}
	f.Start, f.path = c.facts.StartedAt, storePath(f.setting.Truststore.File)
	data, err := c.truststore(ctx, &f)
	if err != nil {
		return f, err
	}
	return f, f.open(own.Data, data, path.Join(keys, storePath(f.setting.Keystore.File)), path.Join(f.root, f.path))
}

// truststore finds the truststore that counts, with the record next to it. If a run was killed while the engine wrote the store, it
// returns what the store was to become.
func (c *container) truststore(ctx context.Context, f *Files) ([]byte, error) {
	var missing error
	for _, root := range c.roots() {
		f.root = root
		var err error
		if f.Record, f.torn, err = c.record(ctx, *f); err != nil {
			return nil, err
		}
		store, err := c.engine.Read(ctx, c.facts.ID, path.Join(root, f.path))
		if err != nil && !errors.Is(err, docker.ErrNotFound) {
			return nil, err
		}
		if f.Record.Writing {
			next, nextErr := c.engine.Read(ctx, c.facts.ID, c.work(*f, ".next"))
			if nextErr != nil {
				return nil, nextErr
			}
			f.Cut = !bytes.Equal(store.Data, next.Data)
			if f.Cut && err == nil { // somebody else may have replaced it since
				_, broken := keystore.Open(store.Data, f.setting.Truststore.Pass)
				f.Cut = errors.Is(broken, keystore.ErrTorn) || errors.Is(broken, keystore.ErrDamaged)
			}
			if f.Cut {
				return next.Data, nil
			}
		}
		if err == nil {
			return store.Data, nil
		}
		missing = err
	}
	return nil, missing
}

// work is the path of one of the agent's own files for a truststore.
func (c *container) work(f Files, suffix string) string {
	return path.Join(f.root, file.WorkDir, path.Base(f.path)+suffix)
}

// record reads the record next to a truststore. One that is cut off comes from a run that was killed while it wrote the record, before or
// after the truststore: the server may not have read it.
func (c *container) record(ctx context.Context, f Files) (r Record, torn bool, err error) {
	found, err := c.engine.Read(ctx, c.facts.ID, path.Join(f.root, recordPath))
	if errors.Is(err, docker.ErrNotFound) {
		return r, false, nil
	}
	if err == nil && json.Unmarshal(found.Data, &r) != nil {
		return Record{Unread: f.Start}, true, nil
	}
	return r, false, err
}

// remember writes the record next to a truststore. owner is a file of the same owner.
func (c *container) remember(ctx context.Context, f Files, owner docker.File) error {
	data, err := file.EncodeJSON(f.Record)
	if err != nil {
		return err
	}
	return c.engine.Write(ctx, c.facts.ID, f.root, docker.File{Name: recordPath, Data: data, Mode: 0o600, UID: owner.UID, GID: owner.GID, Modified: time.Now()})
}

// write puts the record, the original and the next truststore into the agent's folder first. So a later run completes this one,
// wherever it is stopped, although the engine does not replace a file at once.
func (c *container) write(ctx context.Context, f Files, changes []trust.Change, certificates map[string]keystore.Certificate, unread bool) error {
	for _, one := range []string{path.Join(f.root, f.path), path.Join(f.root, recordPath)} { // before anything is written
		if err := c.writable(one); err != nil {
			return err
		}
	}
	data, err := f.edited(changes, certificates)
	if err != nil {
		return err
	}
	owner, err := c.engine.Read(ctx, c.facts.ID, path.Join(f.root, f.path))
	if errors.Is(err, docker.ErrNotFound) && f.Cut { // the original has the same owner and mode
		owner, err = c.engine.Read(ctx, c.facts.ID, c.work(f, ".original"))
	}
	if err != nil {
		return err
	}
	if !f.Cut && !bytes.Equal(owner.Data, f.data) {
		return remedy.Add(fmt.Errorf("change %s: somebody else has changed it at this moment", path.Join(f.root, f.path)), "run the command again")
	}
	if unread {
		f.Record.Unread = f.Start
	}
	f.Record.Writing = true
	record, err := file.EncodeJSON(f.Record)
	if err != nil {
		return err
	}
	own := func(name string, data []byte, mode docker.File) docker.File {
		mode.Name, mode.Data, mode.Modified = name, data, time.Now()
		return mode
	}
	before := []docker.File{
		{Name: file.WorkDir, Folder: true, Mode: 0o700, UID: owner.UID, GID: owner.GID, Modified: time.Now()},
		own(file.WorkDir+"/"+path.Base(f.path)+".next", data, owner),
		own(recordPath, record, docker.File{Mode: 0o600, UID: owner.UID, GID: owner.GID}),
	}
	kept, err := c.keeps(ctx, f)
	if err != nil {
		return err
	}
	if !kept {
		before = slices.Insert(before, 1, own(file.WorkDir+"/"+path.Base(f.path)+".original", owner.Data, owner))
	}
	if err := c.engine.Write(ctx, c.facts.ID, f.root, before...); err != nil {
		return err
	}
	if err := c.engine.Write(ctx, c.facts.ID, f.root, own(f.path, data, owner)); err != nil {
		return err
	}
	written, err := c.engine.Read(ctx, c.facts.ID, path.Join(f.root, f.path))
	if err != nil {
		return err
	}
	if !bytes.Equal(written.Data, data) {
		return remedy.Add(fmt.Errorf("change %s: it has other bytes than were written", path.Join(f.root, f.path)), "run the command again")
	}
	f.Record.Writing = false
	return c.remember(ctx, f, owner)
}

// keeps reports whether the agent's folder has the original of a truststore. A run may have been stopped while it wrote it. The record and the
// truststore come later, so without a record the truststore is the original still.
func (c *container) keeps(ctx context.Context, f Files) (bool, error) {
	original, err := c.engine.Read(ctx, c.facts.ID, c.work(f, ".original"))
	if errors.Is(err, docker.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, broken := keystore.Open(original.Data, f.password)
	if !errors.Is(broken, keystore.ErrTorn) && !errors.Is(broken, keystore.ErrDamaged) {
		return true, nil
	}
	return c.engine.Exists(ctx, c.facts.ID, path.Join(f.root, recordPath))
}

// writable returns why the engine cannot write a file of the container. It removes a file before it writes the new one, and so it cannot
// write one that is a mount itself.
func (c *container) writable(file string) error {
	m, mounted := c.facts.MountOf(file)
	switch {
	case mounted && m.Target == file:
		return fmt.Errorf("%w: %w", ErrPermanent, remedy.Add(fmt.Errorf("%s is a mount of its own, and the engine cannot replace it", file),
			"edit the truststore at its source, %s, with agent certs import, or mount its folder", m.Source))
	case mounted && !m.Writable:
		return fmt.Errorf("%w: %w", ErrPermanent, remedy.Add(fmt.Errorf("%s is mounted read-only", m.Target), "edit the truststore at its source, %s, with agent certs import", m.Source))
	case !mounted && c.facts.ReadOnly:
		return fmt.Errorf("%w: %w", ErrPermanent, remedy.Add(errors.New("its root file system is read-only"), "mount a volume with the server's stores at %s", volumes[1]))
	}
	return nil
}

// restart restarts the container as docker restart does: after the time that it was made with, 10 s by default, the engine kills what has
// not stopped.
func (c *container) restart(ctx context.Context, f Files) error {
	if f.torn { // else the next run would restart it again
		owner, err := c.engine.Read(ctx, c.facts.ID, path.Join(f.root, f.path))
		if err == nil {
			err = c.remember(ctx, f, owner)
		}
		if err != nil {
			return err
		}
	}
	if err := c.engine.Restart(ctx, c.facts.ID, 0); err != nil {
		return err
	}
	facts, err := c.engine.AwaitStart(ctx, c.facts.ID, f.Start)
	if err != nil {
		return err
	}
	if port, elsewhere := publishedElsewhere(facts, c.target.URL); elsewhere { // the engine chooses a port anew if none is given
		return remedy.Add(fmt.Errorf("%w: since its restart it is published at port %d", ErrPermanent, port), "run the command again with this port in --%s, or publish a fixed port", c.target.Product)
	}
	return nil
}

// address is the name under which other containers reach this one: its service in Compose, or its own name.
func (c *container) address() string {
	if service := c.facts.Labels["com.docker.compose.service"]; service != "" {
		return service
	}
	return c.facts.Name
}
