package lease

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"wso2agent/internal/wso2"
)

// memory is a stand-in for the Developer Portal, without a network: an application of a name is made once, ids differ, and what does
// not exist is 404. Its clock is that of the test.
type memory struct {
	mu    sync.Mutex
	apps  map[string]wso2.Application // by id
	made  int
	calls []string // that the server did, or answered with 404: their kind and the application's id
}

func newMemory() *memory { return &memory{apps: map[string]wso2.Application{}} }

func answer(status int) error {
	return &wso2.Error{Op: "ask", Method: "X", URL: "https://am", Status: status, Code: status}
}

var errBroken = &wso2.Error{Op: "ask", Method: "X", URL: "https://am", Err: errors.New("connection reset")}

func (m *memory) note(kind, id string) { m.calls = append(m.calls, kind+" "+id) }

func (m *memory) Applications(ctx context.Context, name string) (list []wso2.Application, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	m.note("list", "")
	for _, app := range m.apps {
		if strings.Contains(strings.ToLower(app.Name), strings.ToLower(name)) {
			list = append(list, app)
		}
	}
	return list, nil
}

func (m *memory) CreateApplicationObject(ctx context.Context, fields map[string]any) (wso2.Object, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() != nil {
		return wso2.Object{}, ctx.Err()
	}
	for _, app := range m.apps {
		if strings.EqualFold(app.Name, fields["name"].(string)) {
			return wso2.Object{}, answer(http.StatusConflict)
		}
	}
	m.made++
	id := fmt.Sprint(m.made)
	m.note("create", id)
	m.apps[id] = wso2.Application{ID: id, Name: fields["name"].(string), Description: fields["description"].(string)}
	return wso2.Object{ID: id}, nil
}

func (m *memory) UpdateApplicationObject(ctx context.Context, id string, fields map[string]any) (wso2.Object, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() != nil {
		return wso2.Object{}, ctx.Err()
	}
	app, there := m.apps[id]
	if !there {
		return wso2.Object{}, answer(http.StatusNotFound)
	}
	m.note("update", id)
	app.Description = fields["description"].(string)
	m.apps[id] = app
	return wso2.Object{ID: id}, nil
}

func (m *memory) DeleteApplication(ctx context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	m.note("delete", id)
	if _, there := m.apps[id]; !there {
		return answer(http.StatusNotFound)
	}
	delete(m.apps, id)
	return nil
}

// put puts an application there.
func (m *memory) put(name, description string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.made++
	id := fmt.Sprint(m.made)
	m.apps[id] = wso2.Application{ID: id, Name: name, Description: description}
}

// did counts the calls of a kind.
func (m *memory) did(kind string) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, call := range m.calls {
		if strings.HasPrefix(call, kind+" ") {
			n++
		}
	}
	return n
}

// line is the way of one run to a portal: it is slow, and it breaks.
type line struct {
	Portal
	mu     sync.Mutex
	down   bool                 // no answer comes; what was asked may be done
	before func() time.Duration // until the server does what was asked
	after  func() time.Duration // from then until the answer is there
	lost   float64              // part of the answers that do not come
}

func newLine(p Portal) *line {
	none := func() time.Duration { return 0 }
	return &line{Portal: p, before: none, after: none}
}

func (l *line) breakDown(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
}

// through makes a call over the line. A caller that gives up does not keep the server from doing it.
func through[T any](ctx context.Context, l *line, do func(context.Context) (T, error)) (T, error) {
	l.mu.Lock()
	before, after, lost := l.before(), l.after(), l.down || rand.Float64() < l.lost
	done := !l.down || rand.Float64() < 0.5
	l.mu.Unlock()
	type result struct {
		value T
		err   error
	}
	answered := make(chan result, 1)
	server := context.WithoutCancel(ctx)
	go func() {
		var r result
		time.Sleep(before)
		if done {
			r.value, r.err = do(server)
		}
		time.Sleep(after)
		if lost {
			r.err = errBroken
		}
		answered <- r
	}()
	var none T
	select {
	case <-ctx.Done():
		return none, &wso2.Error{Op: "ask", Method: "X", URL: "https://am", Err: ctx.Err()}
	case r := <-answered:
		return r.value, r.err
	}
}

func (l *line) Applications(ctx context.Context, name string) ([]wso2.Application, error) {
	return through(ctx, l, func(ctx context.Context) ([]wso2.Application, error) { return l.Portal.Applications(ctx, name) })
}

func (l *line) CreateApplicationObject(ctx context.Context, fields map[string]any) (wso2.Object, error) {
	return through(ctx, l, func(ctx context.Context) (wso2.Object, error) { return l.Portal.CreateApplicationObject(ctx, fields) })
}

func (l *line) UpdateApplicationObject(ctx context.Context, id string, fields map[string]any) (wso2.Object, error) {
	return through(ctx, l, func(ctx context.Context) (wso2.Object, error) {
		return l.Portal.UpdateApplicationObject(ctx, id, fields)
	})
}

func (l *line) DeleteApplication(ctx context.Context, id string) error {
	_, err := through(ctx, l, func(ctx context.Context) (any, error) { return nil, l.Portal.DeleteApplication(ctx, id) })
	return err
}
