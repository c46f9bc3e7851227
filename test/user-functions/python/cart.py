"""The shopping cart as a user function in Python, written from the published protocol alone.

python3 cart.py STUBS [PORT]

STUBS is the folder with what protoc makes of the protocol's files and the cart's. The port, a free one unless given, is the
first line on stdout.
"""

import platform
import sys
from concurrent.futures import ThreadPoolExecutor

import grpc

sys.path.insert(0, sys.argv[1])

import domain_pb2 as domain
import shoppingcart_pb2 as api
from cloudstate import entity_pb2 as protocol
from cloudstate import event_sourced_pb2 as event_sourced
from google.protobuf import any_pb2, descriptor_pb2, empty_pb2

SERVICE = api.DESCRIPTOR.services_by_name["ShoppingCart"].full_name
ENTITY_TYPE = event_sourced.DESCRIPTOR.services_by_name["EventSourced"].full_name
SNAPSHOT_EVERY = 5
# Each entity that is awake has a stream, and each stream a thread.
STREAMS = 200


class CommandFailed(Exception):
    pass


class Cart:
    """The state of one entity: product id -> LineItem."""

    def __init__(self):
        self.items = {}
        self.sequence = 0

    def restore(self, snapshot):
        stored = unpack(snapshot.snapshot, domain.Cart)
        self.items = {item.product_id: item for item in stored.items}
        self.sequence = snapshot.snapshot_sequence

    def apply(self, payload):
        if payload.Is(domain.ItemAdded.DESCRIPTOR):
            item = unpack(payload, domain.ItemAdded).item
            if item.product_id in self.items:
                self.items[item.product_id].quantity += item.quantity
            else:
                self.items[item.product_id] = item
        elif payload.Is(domain.ItemRemoved.DESCRIPTOR):
            del self.items[unpack(payload, domain.ItemRemoved).product_id]
        else:
            raise ValueError(f"unknown event {payload.type_url}")
        self.sequence += 1

    def snapshot(self):
        return domain.Cart(items=self.items.values())

    def add_item(self, request):
        if request.quantity < 1:
            raise CommandFailed(f"Cannot add negative quantity to item {request.product_id}")
        item = domain.LineItem(product_id=request.product_id, name=request.name, quantity=request.quantity)
        return empty_pb2.Empty(), [domain.ItemAdded(item=item)]

    def remove_item(self, request):
        if request.product_id not in self.items:
            raise CommandFailed(f"Item {request.product_id} not in cart")
        return empty_pb2.Empty(), [domain.ItemRemoved(product_id=request.product_id)]

    def get_cart(self, _request):
        items = [
            api.LineItem(product_id=item.product_id, name=item.name, quantity=item.quantity)
            for item in self.items.values()
        ]
        return api.Cart(items=items), []


COMMANDS = {
    "AddItem": (api.AddLineItem, Cart.add_item),
    "RemoveItem": (api.RemoveLineItem, Cart.remove_item),
    "GetCart": (api.GetShoppingCart, Cart.get_cart),
}


def execute(cart, command):
    """The reply to a command."""
    reply = event_sourced.EventSourcedReply(command_id=command.id)
    try:
        if command.name not in COMMANDS:
            raise CommandFailed(f"Unknown command named {command.name}")
        request_type, handle = COMMANDS[command.name]
        response, events = handle(cart, unpack(command.payload, request_type))
    except CommandFailed as failure:
        reply.client_action.failure.command_id = command.id
        reply.client_action.failure.description = str(failure)
        return reply
    reply.client_action.reply.payload.Pack(response)
    before = cart.sequence
    for event in events:
        payload = reply.events.add()
        payload.Pack(event)
        cart.apply(payload)
    if cart.sequence // SNAPSHOT_EVERY > before // SNAPSHOT_EVERY:
        reply.snapshot.Pack(cart.snapshot())
    return reply


def handle(messages, _context):
    """The stream of one entity that is awake."""
    cart = Cart()
    for message in messages:
        kind = message.WhichOneof("message")
        if kind == "init" and message.init.HasField("snapshot"):
            cart.restore(message.init.snapshot)
        elif kind == "event":
            cart.apply(message.event.payload)
        elif kind == "command":
            yield event_sourced.EventSourcedStreamOut(reply=execute(cart, message.command))


def discover(_proxy, _context):
    entity = protocol.Entity(entity_type=ENTITY_TYPE, service_name=SERVICE, persistence_id="shopping-cart")
    info = protocol.ServiceInfo(
        service_name="shopping-cart",
        service_runtime=f"Python {platform.python_version()}",
        protocol_major=0,
        protocol_minor=2,
    )
    return protocol.EntitySpec(proto=describe(api.DESCRIPTOR), entities=[entity], service_info=info)


def report_error(error, _context):
    print(error.message, file=sys.stderr, flush=True)
    return empty_pb2.Empty()


def describe(file):
    """A serialized FileDescriptorSet: the file behind all that it imports."""
    files = {}

    def add(each):
        if each.name not in files:
            for imported in each.dependencies:
                add(imported)
            files[each.name] = descriptor_pb2.FileDescriptorProto.FromString(each.serialized_pb)

    add(file)
    return descriptor_pb2.FileDescriptorSet(file=files.values()).SerializeToString()


def unpack(payload: any_pb2.Any, message_type):
    message = message_type()
    if not payload.Unpack(message):
        raise ValueError(f"{payload.type_url} is not a {message_type.DESCRIPTOR.full_name}")
    return message


def rpc(kind, behavior, request_type):
    return kind(
        behavior,
        request_deserializer=request_type.FromString,
        response_serializer=lambda message: message.SerializeToString(),
    )


def main():
    server = grpc.server(ThreadPoolExecutor(STREAMS))
    discovery = {
        "discover": rpc(grpc.unary_unary_rpc_method_handler, discover, protocol.ProxyInfo),
        "reportError": rpc(grpc.unary_unary_rpc_method_handler, report_error, protocol.UserFunctionError),
    }
    streams = {"handle": rpc(grpc.stream_stream_rpc_method_handler, handle, event_sourced.EventSourcedStreamIn)}
    server.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler("cloudstate.EntityDiscovery", discovery),
            grpc.method_handlers_generic_handler(ENTITY_TYPE, streams),
        ]
    )
    port = server.add_insecure_port(f"0.0.0.0:{sys.argv[2] if len(sys.argv) > 2 else 0}")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
