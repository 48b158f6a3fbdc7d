package notify

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path"
	"path/filepath"
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
	Control   Control

	engine *docker.Engine
	id     string
}

// Name is the value of RESTART.
func (*Docker) Name() string { return "docker" }

// proofFile is a file on the config volume with a text that no other volume has.
const proofFile = "container-proof"

// Usable returns nil if the container mounts the config volume of this agent. The agent writes a random text to the volume, and
// looks for it in the container, because the default names can be those of another project, and the volume may have another name or
// path there.
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
	target, err := d.mounts(ctx, engine, c)
	if err != nil {
		engine.Close()
		return "", err
	}
	d.engine, d.id = engine, c.ID
	return fmt.Sprintf("container %s at %s mounts this config volume at %s", c.Name, engine.Address(), target), nil
}

// mounts returns where the container mounts the config volume.
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
			if _, err = d.mounts(ctx, d.engine, c); err == nil {
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
