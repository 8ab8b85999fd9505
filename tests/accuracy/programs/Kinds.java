// Kinds.java - front service on com.sun.net.httpserver, a pool of 64 threads: every kind that it has.
// CLIENT=url calls with HttpURLConnection, send with HttpClient.send, async with HttpClient.sendAsync.
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

public class Kinds {
	static final String BACKEND = System.getenv("BACKEND");
	static final HttpClient CLIENT = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
	static final ExecutorService EXECUTOR = Executors.newFixedThreadPool(16);
	static final ScheduledExecutorService TIMER = Executors.newScheduledThreadPool(2);
	static BlockingQueue<Connection> databases;

	record Job(String method, String path, String query, byte[] body, int calls, String mode) {
		String url(int k, String base) {
			return base + path + "." + k + "?" + query;
		}
	}

	static int byUrl(Job job, int k, String base) throws IOException {
		HttpURLConnection connection = (HttpURLConnection) new URL(job.url(k, base)).openConnection();
		connection.setRequestMethod(job.method);
		if (job.mode.equals("new") || job.mode.equals("name"))
			connection.setRequestProperty("Connection", "close");
		if (job.body.length > 0) {
			connection.setDoOutput(true);
			connection.getOutputStream().write(job.body);
		}
		int status = connection.getResponseCode();
		InputStream stream = status >= 400 ? connection.getErrorStream() : connection.getInputStream();
		if (stream != null) {
			stream.readAllBytes();
			stream.close();
		}
		return status;
	}

	static int byClient(Job job, int k, String base) throws Exception {
		HttpRequest.BodyPublisher publisher = job.body.length > 0
			? HttpRequest.BodyPublishers.ofByteArray(job.body) : HttpRequest.BodyPublishers.noBody();
		HttpRequest request = HttpRequest.newBuilder(URI.create(job.url(k, base))).method(job.method, publisher).build();
		if ("async".equals(System.getenv("CLIENT")))
			return CLIENT.sendAsync(request, HttpResponse.BodyHandlers.ofByteArray())
				.thenApply(HttpResponse::statusCode).get();
		return CLIENT.send(request, HttpResponse.BodyHandlers.ofByteArray()).statusCode();
	}

	static int call(Job job, int k, String base) {
		try {
			return "url".equals(System.getenv("CLIENT")) ? byUrl(job, k, base) : byClient(job, k, base);
		} catch (Exception failure) {
			return 599;
		}
	}

	static synchronized BlockingQueue<Connection> databases() throws Exception {
		if (databases == null) {
			BlockingQueue<Connection> made = new LinkedBlockingQueue<>();
			for (int i = 0; i < 4; i++)
				made.add(DriverManager.getConnection(System.getenv("JDBC")));
			databases = made;
		}
		return databases;
	}

	static int query(Job job, int k) throws Exception {
		Connection connection = databases().take();
		try (Statement statement = connection.createStatement()) {
			String name = (job.path.substring(3) + "." + k).replaceAll("\\W", "_");
			statement.execute("SELECT 1 AS id_" + name);
		} finally {
			databases().add(connection);
		}
		return 200;
	}

	static int one(Job job, int k) throws Exception {
		switch (job.mode) {
		case "timer":
			Thread.sleep(3);
			break;
		case "later":
			return TIMER.schedule(() -> call(job, k, BACKEND), 3, TimeUnit.MILLISECONDS).get();
		case "name":
			return call(job, k, BACKEND.replace("127.0.0.1", "localhost"));
		case "thread":
			EXECUTOR.submit(() -> 1).get();
			break;
		case "executor":
			return EXECUTOR.submit(() -> call(job, k, BACKEND)).get();
		case "worker":
			CompletableFuture<Integer> result = new CompletableFuture<>();
			new Thread(() -> result.complete(call(job, k, BACKEND))).start();
			return result.get();
		case "postgres":
			return query(job, k);
		case "refused":
			try {
				new Socket("127.0.0.1", 1).close();
			} catch (IOException expected) {
				// That is the kind.
			}
			break;
		default:
			break;
		}
		return call(job, k, BACKEND);
	}

	static List<Integer> all(Job job) throws Exception {
		List<Integer> results = new ArrayList<>();
		if (job.mode.equals("par")) {
			List<Future<Integer>> begun = new ArrayList<>();
			for (int k = 1; k <= job.calls; k++) {
				int number = k;
				Callable<Integer> task = () -> call(job, number, BACKEND);
				begun.add(EXECUTOR.submit(task));
			}
			for (Future<Integer> each : begun)
				results.add(each.get());
		} else {
			for (int k = 1; k <= job.calls; k++)
				results.add(one(job, k));
		}
		return results;
	}

	static String value(String query, String name, String absent) {
		for (String part : query.split("&"))
			if (part.startsWith(name + "="))
				return part.substring(name.length() + 1);
		return absent;
	}

	static void handle(HttpExchange exchange) throws IOException {
		URI uri = exchange.getRequestURI();
		String query = uri.getRawQuery() == null ? "" : uri.getRawQuery();
		Job job = new Job(exchange.getRequestMethod(), uri.getPath(), query, exchange.getRequestBody().readAllBytes(),
			Integer.parseInt(value(query, "calls", "1")), value(query, "mode", "seq"));
		int worst = 200;
		try {
			for (int status : all(job))
				worst = Math.max(worst, status);
		} catch (Exception failure) {
			failure.printStackTrace();
			worst = 599;
		}
		byte[] reply = (worst + "\n").getBytes();
		exchange.sendResponseHeaders(worst >= 400 ? 502 : 200, reply.length);
		exchange.getResponseBody().write(reply);
		exchange.close();
	}

	public static void main(String[] args) throws IOException {
		HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(System.getenv("PORT"))), 256);
		server.createContext("/", Kinds::handle);
		server.setExecutor(Executors.newFixedThreadPool(64));
		server.start();
	}
}
