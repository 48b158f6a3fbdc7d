package wso2

import (
	"context"
	"encoding/json"
	"errors"
)

// Object is an object as a server has it, to compare it with what is desired, and to send it back with changes.
type Object struct {
	ID, Name string
	Fields   map[string]any // decoded JSON, numbers as float64
}

// keys are the fields with the id and the name of a kind of object. An empty name: the kind has none.
type keys struct{ id, name string }

var (
	byID            = keys{"id", "name"}
	keysOfDocument  = keys{"documentId", "name"}
	keysOfApp       = keys{"applicationId", "name"}
	keysOfMapping   = keys{"keyMappingId", "keyManager"}
	keysOfSCIMUser  = keys{"id", "userName"}
	keysOfSCIMGroup = keys{"id", "displayName"}
)

// errNoID: an answer that should be an object has no id, as from a server that starts or stops.
var errNoID = errors.New("it has no id")

// errEmpty: an answer that should be a file is empty, as from a server that starts or stops.
var errEmpty = errors.New("it is empty")

// object reads an object. One without an id is an error.
func (k keys) object(text []byte) (Object, error) {
	o := Object{}
	if err := decode(text, &o.Fields); err != nil {
		return Object{}, err
	}
	o = k.of(o.Fields)
	return o, hasID(o.ID)
}

// of takes id and name out of the fields.
func (k keys) of(fields map[string]any) Object {
	o := Object{Fields: fields}
	o.ID, _ = fields[k.id].(string)
	o.Name, _ = fields[k.name].(string)
	return o
}

// object makes a request that answers one object.
func (c caller) object(ctx context.Context, r request, k keys) (o Object, err error) {
	_, err = c.send(ctx, r, func(body []byte) (err error) {
		o, err = k.object(body)
		return err
	})
	return o, err
}

// objects makes a request for each page of a list of objects.
func (c caller) objects(ctx context.Context, r request, k keys) ([]Object, error) {
	texts, err := all[json.RawMessage](ctx, c, r)
	return c.decoded(r, texts, err, k)
}

// shortList makes one request for a list that has no pages.
func (c caller) shortList(ctx context.Context, r request, k keys) ([]Object, error) {
	var p page[json.RawMessage]
	err := c.call(ctx, r, &p)
	return c.decoded(r, p.List, err, k)
}

func (c caller) decoded(r request, texts []json.RawMessage, err error, k keys) ([]Object, error) {
	if err != nil {
		return nil, err
	}
	list := make([]Object, len(texts))
	for i, text := range texts {
		if list[i], err = k.object(text); err != nil {
			return nil, c.noDocument(r, err)
		}
	}
	return list, nil
}

// named is the name of an object that is to be sent, for messages.
func named(fields map[string]any, key string) string {
	name, _ := fields[key].(string)
	return name
}
