// Package up makes IS and API-M work together from a laptop, when both servers run already: it makes each trust the certificate of the
// other, restarts those that have to read their truststore again, and brings both to the desired state. It also takes back what an agent
// has made in a server's files.
//
// It reads both servers and their stores once, decides purely, and acts. Each step leaves a state from which another run goes on.
package up

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/docker"
	"wso2agent/internal/keystore"
	"wso2agent/internal/product"
	"wso2agent/internal/remedy"
	"wso2agent/internal/trust"
)

// ErrPermanent says that a person must change something first.
var ErrPermanent = bootstrap.ErrPermanent

// Names under which the servers trust each other: those that an agent next to a server has by default, and those of the scripts that
// people have used before.
const (
	nameIS = "wso2is"
	nameAM = "wso2am"
)

// names are the servers whose entries in a truststore are the agent's.
func names() []string { return []string{nameIS, nameAM} }

// Target is where one server is: its address, and the place of its files.
type Target struct {
	Product   string // config.IS or config.AM
	URL       string // such as https://localhost:9443
	Container string // name of its container; empty for none
	Home      string // its home on this machine; empty for none
	// Optional says that Container is only the default of a setting: a container that does not exist is none.
	Optional bool
}

// name is the alias of the server in the truststore of the other one.
func (t Target) name() string {
	if t.Product == config.IS {
		return nameIS
	}
	return nameAM
}

// title is the name of the server for people.
func (t Target) title() string {
	if t.Product == config.IS {
		return "IS"
	}
	return "API-M"
}

// Options are what a run needs.
type Options struct {
	Config config.Config // without PRODUCT
	IS, AM Target
	// Pins are SHA-256 fingerprints that the certificate of a server must have, by product; none accepts what [Target] proves.
	Pins map[string][]keystore.Fingerprint
	// RestartHomes says that a server in a home on this machine is restarted by its own start script. Otherwise a person does that.
	RestartHomes bool
	Engine       func() (*docker.Engine, error) // connects to the container engine, once it is needed
	// Confirm asks a person whether these are the right certificates. It returns nil if they are, and an error that wraps [ErrNobody] if
	// there is nobody to ask.
	Confirm func([]Shown) error
	Out     io.Writer // gets a line for each step
}

func (o Options) say(format string, args ...any) { fmt.Fprintf(o.Out, format+"\n", args...) }

// place holds the files of a server.
type place interface {
	String() string
	// at reports whether the server of these files must be the one at address, whoever has its key.
	at(address string) bool
	read(ctx context.Context) (Files, error)
	// write makes the changes in the truststore, and remembers that the process that runs now has not read them if unread is set.
	write(ctx context.Context, f Files, changes []trust.Change, certificates map[string]keystore.Certificate, unread bool) error
	// restart returns once another process runs than the one with which the files were read.
	restart(ctx context.Context, f Files) error
}

// Result is what a run has done.
type Result struct {
	Steps   []Step
	Changes int // on the servers
}

// Run makes both servers trust each other and brings them to the desired state. An error that wraps [ErrPermanent] needs a person; one of
// ctx means that time ran out.
func Run(ctx context.Context, o Options, reach func(context.Context, Reached) (changes int, err error)) (Result, error) {
	var r Result
	is, am, err := o.readBoth(ctx)
	if err != nil {
		return r, err
	}
	if err := o.identify(is, am); err != nil {
		return r, err
	}
	reached, err := o.reached(is, am)
	if err != nil {
		return r, err
	}
	r.Steps = Decide(is.Side, am.Side)
	sides := map[string]side{nameIS: is, nameAM: am}
	certificates := map[string]keystore.Certificate{}
	for _, s := range sides {
		certificates[s.Certificate.Fingerprint().String()] = s.Certificate
	}
	for _, s := range []side{is, am} {
		if s.place == nil {
			o.say("%s: nobody can edit its truststore from here; it must trust the certificate of the other server", s.title())
		}
	}
	for _, step := range r.Steps {
		s := sides[step.Server]
		o.say("%s: %s", s.place, step)
		switch step.Kind {
		case Import:
			err = s.place.write(ctx, s.files, step.Changes, certificates, step.Unread)
		case Restart:
			err = s.place.restart(ctx, s.files)
		}
		if err != nil {
			return r, fmt.Errorf("%s: %w", s.place, err)
		}
	}
	if len(r.Steps) == 0 {
		o.say("both servers trust each other: no certificate to import, no server to restart")
	}
	r.Changes, err = reach(ctx, reached)
	return r, err
}

// side is a server with its certificate and its files.
type side struct {
	Target
	Side
	place place // nil if nobody can read its files from here
	files Files
}

// readBoth reads both servers.
func (o Options) readBoth(ctx context.Context) (is, am side, err error) {
	var facts []docker.Container
	for _, t := range []*side{&is, &am} {
		t.Target = o.IS
		if t == &am {
			t.Target = o.AM
		}
		var c *docker.Container
		if t.place, c, err = o.find(ctx, t.Target); err != nil {
			return is, am, err
		}
		if c != nil {
			facts = append(facts, *c)
		}
	}
	if len(facts) == 2 {
		if err := together(facts[0], facts[1]); err != nil {
			return is, am, err
		}
	}
	for _, s := range []*side{&is, &am} {
		if err := s.read(ctx, o); err != nil {
			return is, am, err
		}
	}
	return is, am, nil
}

// find returns the place of a server's files; nil if there is none. c is its container, if it has one.
func (o Options) find(ctx context.Context, t Target) (p place, c *docker.Container, err error) {
	if t.Home != "" {
		cfg, err := atHome(o.Config.For(t.Product), t.Product, t.Home)
		if err != nil {
			return nil, nil, err
		}
		return &home{target: t, dir: t.Home, cfg: cfg, restarts: o.RestartHomes, say: o.say}, nil, nil
	}
	if t.Container == "" {
		return nil, nil, nil
	}
	found, err := o.findContainer(ctx, t)
	if err != nil {
		if t.Optional {
			o.say("%s: no container: %s", t.title(), text(err))
			return nil, nil, nil
		}
		return nil, nil, err
	}
	return found, &found.facts, nil
}

// atHome returns the settings with the version that the name of a home shows. A home can have any other name. Errors wrap ErrPermanent.
func atHome(cfg config.Config, name, home string) (config.Config, error) {
	r, err := product.FromHome(home)
	switch {
	case errors.Is(err, product.ErrUnsupported):
		return cfg, fmt.Errorf("%w: %w", ErrPermanent, remedy.Add(err, "use a newer version of the product, or an older agent"))
	case err != nil || r.Product != name:
		return cfg, nil
	}
	return cfg.On(r), nil
}

func (o Options) findContainer(ctx context.Context, t Target) (*container, error) {
	engine, err := o.Engine()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPermanent, remedy.Add(err, "name the homes with --is-home and --am-home if the servers run on this machine without containers"))
	}
	facts, err := engine.Inspect(ctx, t.Container)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPermanent, remedy.Add(err, "name it with --%s-container or %s_CONTAINER", t.Product, setting(t.Product)))
	}
	c := &container{target: t, engine: engine, facts: facts, cfg: o.Config.For(t.Product)}
	return c, c.check(ctx)
}

func setting(product string) string {
	if product == config.IS {
		return "IS"
	}
	return "AM"
}

// text is an error without its remedies.
func text(err error) string {
	t, _ := remedy.Split(err)
	return t
}

// read reads the certificate and the files of a server.
func (s *side) read(ctx context.Context, o Options) error {
	address, err := addressOf(s.Target.URL)
	if err != nil {
		return err
	}
	s.Side = Side{Server: s.name(), Address: address, URL: s.Target.URL}
	shown, err := Presented(ctx, address)
	if s.place == nil {
		s.Certificate, s.Shown = shown, shown
		if err != nil {
			return remedy.Add(fmt.Errorf("%s: %w", s.title(), err), "start the server, or correct --%s", s.Product)
		}
		return nil
	}
	if err != nil { // a server that an earlier run has restarted
		o.say("%s: waiting until it answers: %v", s.place, err)
	}
	for err != nil {
		select {
		case <-ctx.Done():
			return remedy.Add(fmt.Errorf("%s: %w: %w", s.place, err, context.Cause(ctx)), "start the server, or correct --%s", s.Product)
		case <-time.After(time.Second):
			shown, err = Presented(ctx, address)
		}
	}
	s.Shown = shown
	if s.files, err = s.place.read(ctx); err != nil {
		return fmt.Errorf("%s: %w", s.place, err)
	}
	s.Editable, s.Certificate, s.Entries = true, s.files.Own, s.files.Entries
	s.Near = s.place.at(s.Target.URL)
	s.Start, s.Unread, s.Cut = s.files.Start, s.files.Record.Unread, s.files.Cut
	return nil
}
