// Front.java - front service on com.sun.net.httpserver; CLIENT=url calls with HttpURLConnection, else HttpClient.send.
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URL;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.concurrent.Executors;

public class Front {
	static final String BACKEND = System.getenv("BACKEND");
	static final HttpClient CLIENT = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

	static int callUrl(String method, String url, byte[] body) throws IOException {
		HttpURLConnection connection = (HttpURLConnection) new URL(url).openConnection();
		connection.setRequestMethod(method);
		if (body.length > 0) {
			connection.setDoOutput(true);
			connection.getOutputStream().write(body);
		}
		int status = connection.getResponseCode();
		InputStream stream = status >= 400 ? connection.getErrorStream() : connection.getInputStream();
		if (stream != null) {
			stream.readAllBytes();
			stream.close();
		}
		return status;
	}

	static int callClient(String method, String url, byte[] body) throws Exception {
		HttpRequest.BodyPublisher publisher = body.length > 0
			? HttpRequest.BodyPublishers.ofByteArray(body) : HttpRequest.BodyPublishers.noBody();
		HttpRequest request = HttpRequest.newBuilder(URI.create(url)).method(method, publisher).build();
		return CLIENT.send(request, HttpResponse.BodyHandlers.ofByteArray()).statusCode();
	}

	static void handle(HttpExchange exchange) throws IOException {
		URI uri = exchange.getRequestURI();
		String query = uri.getRawQuery() == null ? "" : uri.getRawQuery();
		byte[] body = exchange.getRequestBody().readAllBytes();
		int count = 1;
		for (String part : query.split("&"))
			if (part.startsWith("calls="))
				count = Integer.parseInt(part.substring(6));
		int worst = 200;
		try {
			for (int i = 1; i <= count; i++) {
				String url = BACKEND + uri.getPath() + "." + i + "?" + query;
				int status = "url".equals(System.getenv("CLIENT"))
					? callUrl(exchange.getRequestMethod(), url, body)
					: callClient(exchange.getRequestMethod(), url, body);
				worst = Math.max(worst, status);
			}
		} catch (Exception failure) {
			worst = 599;
		}
		byte[] reply = (worst + "\n").getBytes();
		exchange.sendResponseHeaders(worst >= 400 ? 502 : 200, reply.length);
		exchange.getResponseBody().write(reply);
		exchange.close();
	}

	public static void main(String[] args) throws IOException {
		int port = Integer.parseInt(System.getenv("PORT"));
		HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 256);
		server.createContext("/", Front::handle);
		server.setExecutor(Executors.newFixedThreadPool(64));
		server.start();
	}
}
