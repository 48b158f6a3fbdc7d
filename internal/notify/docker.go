package notify

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"wso2agent/internal/docker"
	"wso2agent/internal/file"
	"wso2agent/internal/remedy"
)

// Docker restarts the container of the server through the Engine API, as docker restart does.
type Docker struct {
	Open      func() (*docker.Engine, error) // docker.Open
	Container string                         // IS_CONTAINER or AM_CONTAINER
	Setting   string                         // the name of that setting
	Home      string                         // SERVER_HOME
	Prefix    string                         // of the name of a home of the product (product.Release)
	Hostname  func() (string, error)         // os.Hostname: by default the first characters of the ID of the agent's container
	Control   Control

	engine *docker.Engine
	id     string
}

// Name is the value of RESTART.
func (*Docker) Name() string { return "docker" }

// proofFile is a file on the config volume with a text that no other volume has.
const proofFile = "container-proof"

// homeVariable is the home of the server in the images of both products (docker-is and docker-apim, Dockerfile).
const homeVariable = "WSO2_SERVER_HOME"

// Usable returns nil if the container has a home of the product, and mounts the config volume of this agent.
func (d *Docker) Usable(ctx context.Context) (why string, err error) {
	engine, err := d.Open()
	if err != nil {
		return "", err
	}
	c, err := engine.Inspect(ctx, d.Container)
	if err != nil {
		engine.Close()
		return "", remedy.Add(err, "set %s", d.Setting)
	}
	target, err := d.check(ctx, engine, c)
	if err != nil {
		engine.Close()
		return "", err
	}
	d.engine, d.id = engine, c.ID
	return fmt.Sprintf("container %s at %s mounts this config volume at %s", c.Name, engine.Address(), target), nil
}

// check makes sure that the container is the one of the server, and returns where it mounts the config volume. A restart of another one
// would count as a start of the server.
func (d *Docker) check(ctx context.Context, engine *docker.Engine, c docker.Container) (target string, err error) {
	home, err := d.home(ctx, engine, c)
	if err != nil {
		return "", err
	}
	refuse := func(why string) error {
		return remedy.Add(fmt.Errorf("container %s %s", c.Name, why), "set %s to the container of this server", d.Setting)
	}
	if home == "" {
		return "", refuse("runs no server of this product: it has no home with a " + settingsPath)
	}
	// An agent in the network of the server's container has the host name of that one, but not its files.
	if host, err := d.Hostname(); err == nil && len(host) >= shortID && strings.HasPrefix(c.ID, host) {
		if _, err := os.Stat(filepath.Join(home, settingsPath)); err == nil {
			return "", refuse("is the one in which this agent runs")
		}
	}
	return d.mounts(ctx, engine, c)
}

const (
	settingsPath = "repository/conf/deployment.toml" // in a home
	shortID      = 12                                // characters of a container's ID that are its host name by default
)

// home returns the home of the server in the container; empty if there is none.
func (d *Docker) home(ctx context.Context, engine *docker.Engine, c docker.Container) (string, error) {
	homes := []string{d.Home}
	if named := c.Env.Get(homeVariable); strings.HasPrefix(path.Base(named), d.Prefix) {
		homes = append(homes, named)
	}
	for _, home := range homes {
		if there, err := engine.Exists(ctx, c.ID, path.Join(home, settingsPath)); there || err != nil {
			return home, err
		}
	}
	return "", nil
}

// mounts returns where the container mounts the config volume. The agent writes a random text to the volume, and looks for it in the
// container, because the default names can be those of another project, and the volume may have another name or path there.
func (d *Docker) mounts(ctx context.Context, engine *docker.Engine, c docker.Container) (target string, err error) {
	if err := d.Control.usable(); err != nil {
		return "", err
	}
	proof := rand.Text()
	if _, err := file.Write(filepath.Join(d.Control.Dir, proofFile), []byte(proof), 0o644, d.Control.Dir); err != nil {
		return "", fmt.Errorf("mark the config volume: %w", err)
	}
	for _, m := range c.Mounts {
		f, err := engine.Read(ctx, c.ID, path.Join(m.Target, filepath.Base(d.Control.Dir), proofFile))
		switch {
		case err == nil && string(f.Data) == proof:
			return m.Target, nil
		case err != nil && ctx.Err() != nil:
			return "", err
		}
	}
	return "", remedy.Add(fmt.Errorf("container %s does not mount the config volume of this agent: it may belong to another project", c.Name),
		"set %s to the container of this server", d.Setting)
}

// Process returns the process of the container. Its ID is the time of its start, as the engine writes it.
func (d *Docker) Process(ctx context.Context) (Process, error) {
	c, err := d.engine.Inspect(ctx, d.id)
	if errors.Is(err, docker.ErrNotFound) { // Compose has replaced it by another one of the same name
		if c, err = d.engine.Inspect(ctx, d.Container); err == nil {
			if _, err = d.check(ctx, d.engine, c); err == nil {
				d.id = c.ID
			}
		}
		if errors.Is(err, docker.ErrNotFound) {
			return Process{}, nil
		}
	}
	if err != nil || !c.Running {
		return Process{}, err
	}
	since, err := time.Parse(time.RFC3339Nano, c.StartedAt)
	if err != nil {
		return Process{}, fmt.Errorf("container %s: StartedAt: %w", c.Name, err)
	}
	return Process{ID: c.StartedAt, Since: since}, nil
}

// Restart restarts the container. The engine waits for as long as the container was made with before it kills the server.
func (d *Docker) Restart(ctx context.Context, _ Order) error {
	return d.engine.Restart(ctx, d.id, 0)
}
