// front_asio.cc - the front service's event loop on Boost.Asio.
#include <boost/asio.hpp>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>

#include "loop.h"

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

static asio::io_context context;

struct Link : peer, std::enable_shared_from_this<Link> {
	tcp::socket socket{context};
	std::deque<std::string> unsent;
	std::shared_ptr<Link> self; // until it is closed
	char text[16384];
	bool connected = false, closing = false;

	void begin()
	{
		self = shared_from_this();
		state = nullptr;
	}

	void drop()
	{
		boost::system::error_code ignored;

		socket.close(ignored);
		self.reset();
	}

	void fail()
	{
		if (!closing && self)
			front_closed(this);
		closing = true;
		drop();
	}

	void read()
	{
		socket.async_read_some(asio::buffer(text), [link = shared_from_this()](auto error, size_t size) {
			if (!link->self)
				return;
			if (error) {
				link->fail();
				return;
			}
			if (!link->closing)
				front_read(link.get(), link->text, size);
			if (link->self)
				link->read();
		});
	}

	void write()
	{
		asio::async_write(socket, asio::buffer(unsent.front()), [link = shared_from_this()](auto error, size_t) {
			if (!link->self)
				return;
			if (error) {
				link->fail();
				return;
			}
			link->unsent.pop_front();
			if (!link->unsent.empty())
				link->write();
			else if (link->closing)
				link->drop();
		});
	}

	void connect(unsigned port)
	{
		tcp::endpoint to(asio::ip::address_v4::loopback(), static_cast<unsigned short>(port));

		socket.async_connect(to, [link = shared_from_this()](auto error) {
			if (error) {
				link->fail();
				return;
			}
			link->connected = true;
			link->read();
			if (!link->unsent.empty())
				link->write();
		});
	}
};

peer *loop_dial(unsigned port)
{
	auto link = std::make_shared<Link>();

	link->begin();
	link->connect(port);
	return link.get();
}

void loop_send(peer *to, const char *at, size_t size)
{
	auto link = static_cast<Link *>(to);

	link->unsent.emplace_back(at, size);
	if (link->connected && link->unsent.size() == 1)
		link->write();
}

void loop_close(peer *to)
{
	auto link = static_cast<Link *>(to);

	link->closing = true;
	if (link->unsent.empty())
		link->drop();
}

void loop_after(unsigned ms, void (*then)(void *), void *to)
{
	auto timer = std::make_shared<asio::steady_timer>(context, std::chrono::milliseconds(ms));

	timer->async_wait([timer, then, to](auto) { then(to); });
}

static void accept(tcp::acceptor &acceptor)
{
	auto link = std::make_shared<Link>();

	acceptor.async_accept(link->socket, [&acceptor, link](auto error) {
		if (!error) {
			link->begin();
			link->connected = true;
			front_opened(link.get());
			link->read();
		}
		accept(acceptor);
	});
}

void loop_serve(unsigned port)
{
	tcp::endpoint at(asio::ip::address_v4::loopback(), static_cast<unsigned short>(port));
	tcp::acceptor acceptor(context, at);

	accept(acceptor);
	context.run();
}
