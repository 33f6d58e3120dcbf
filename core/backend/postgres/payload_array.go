package postgres

import (
	"context"
	"encoding/binary"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// payloadArray is a parameter of type json[], at least one payload.
type payloadArray [][]byte

// payloadArrayCodec encodes a payloadArray in one piece of memory of the right size; pgx asks
// an array for one element after the other, each of which it puts into an interface,
// and lets its buffer grow on the way: five times the payloads' size.
type payloadArrayCodec struct{ *pgtype.ArrayCodec }

// registerPayloadArray makes a new connection know it.
func registerPayloadArray(_ context.Context, c *pgx.Conn) error {
	m := c.TypeMap()
	json, _ := m.TypeForOID(pgtype.JSONOID)
	codec := payloadArrayCodec{&pgtype.ArrayCodec{ElementType: json}}
	m.RegisterType(&pgtype.Type{Name: "_json", OID: pgtype.JSONArrayOID, Codec: codec})
	return nil
}

// PlanEncode implements pgtype.Codec.
func (c payloadArrayCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.(payloadArray); ok && format == pgtype.BinaryFormatCode {
		return payloadArrayPlan{}
	}
	return c.ArrayCodec.PlanEncode(m, oid, format, value)
}

type payloadArrayPlan struct{}

// Encode implements pgtype.EncodePlan: the header of an array of one dimension, without
// nulls, that starts at 1 (array_recv in PostgreSQL's arrayfuncs.c), then each
// element with its length before it.
func (payloadArrayPlan) Encode(value any, buf []byte) ([]byte, error) {
	payloads := value.(payloadArray)
	size := 5 * 4
	for _, p := range payloads {
		size += 4 + len(p)
	}
	buf = slices.Grow(buf, size)
	for _, n := range [...]uint32{1, 0, pgtype.JSONOID, uint32(len(payloads)), 1} {
		buf = binary.BigEndian.AppendUint32(buf, n)
	}
	for _, p := range payloads {
		buf = append(binary.BigEndian.AppendUint32(buf, uint32(len(p))), p...)
	}
	return buf, nil
}
