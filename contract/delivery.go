package contract

import (
	"fmt"
	"reflect"

	"github.com/gosocka/socka/wire"
)

// Delivery says what a consumer that reads too slowly may lose of a push. What
// waits for it is bounded; when the bound is reached, pushes that may be lost
// make room first, and a consumer that is still behind is disconnected. The zero
// value is [Must]. Deliveries are comparable.
type Delivery struct {
	mode  DeliveryMode
	field string
}

// DeliveryMode is the sort of a [Delivery].
type DeliveryMode uint8

const (
	// DeliverMust is the mode of [Must].
	DeliverMust DeliveryMode = iota
	// DeliverDropOldest is the mode of [DropOldest].
	DeliverDropOldest
	// DeliverLatest is the mode of [LatestBy].
	DeliverLatest
)

var (
	// Must is for pushes of which none may be lost: a consumer that cannot take
	// one is disconnected.
	Must = Delivery{}
	// DropOldest is for pushes of which the oldest waiting may be dropped to
	// make room.
	DropOldest = Delivery{mode: DeliverDropOldest}
)

// LatestBy is for pushes of which only the newest value matters: a newer one
// removes an older one that still waits and has the same value in field, and
// joins at the tail. The field is one of the payload's own, by its name on the
// wire; "" makes all payloads of the push one.
func LatestBy(field string) Delivery { return Delivery{mode: DeliverLatest, field: field} }

// Mode returns the sort of the delivery.
func (d Delivery) Mode() DeliveryMode { return d.mode }

// Field returns the field given to [LatestBy], "" for the others.
func (d Delivery) Field() string { return d.field }

// String returns "must", "drop oldest", "latest" or "latest by FIELD".
func (d Delivery) String() string {
	switch {
	case d.mode == DeliverMust:
		return "must"
	case d.mode == DeliverDropOldest:
		return "drop oldest"
	case d.field == "":
		return "latest"
	}
	return "latest by " + d.field
}

// findKey looks up the field of a LatestBy delivery in the payload's type.
func (p *PushDef) findKey() error {
	if p.delivery.field == "" {
		return nil
	}
	t := p.body.typ
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Struct && !opaque(t) {
		for _, f := range fieldsOf(t) {
			if f.name == p.delivery.field {
				p.keyIndex = f.index
				return nil
			}
		}
	}
	return fmt.Errorf("delivery is %s, but the payload %s has no field of that name on the wire", p.delivery, p.body.typ)
}

// Key returns the key under which v, a value of Type, is the latest: of two
// payloads with the same key only the newer one matters. It is "" for all
// payloads if the delivery is not [LatestBy] a field.
func (p *PushDef) Key(v any) (string, error) {
	if p.keyIndex == nil {
		return "", nil
	}
	if err := checkType(v, p.body.typ); err != nil {
		return "", err
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Pointer {
		if rv.IsNil() {
			return "", invalid(InvalidOutput, []Issue{{Message: "is a nil pointer"}})
		}
		rv = rv.Elem()
	}
	key, err := wire.Marshal(wire.JSON, rv.FieldByIndex(p.keyIndex).Interface())
	if err != nil {
		return "", invalid(InvalidOutput, []Issue{{Path: p.delivery.field, Message: err.Error()}})
	}
	return string(key), nil
}
