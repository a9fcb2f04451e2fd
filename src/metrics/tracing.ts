import type { Span } from '@opentelemetry/api';
import type { Operation, PipelineHooks } from '../graphql/hooks.js';

/** Traces of operations, sent to a collector. */
export interface Tracing {
  readonly hooks: PipelineHooks;
  /** Sends what is left. */
  close(): Promise<void>;
}

/** How long the end of the process waits for the collector, in ms. */
const EXPORT_TIMEOUT_MS = 3000;
const TRACES_PATH = '/v1/traces';

/**
 * Sends one span per operation to an OpenTelemetry collector: of a query or mutation until its result, of a subscription until
 * it waits for events. The packages are loaded here, since most servers send no traces.
 *
 * @param endpoint base URL of the collector (OTLP over HTTP).
 */
export async function startTracing(endpoint: string): Promise<Tracing> {
  const [{ SpanKind, SpanStatusCode }, { BasicTracerProvider, BatchSpanProcessor }, exporters, resources] =
    await Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/sdk-trace-base'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ]);
  const exporter = new exporters.OTLPTraceExporter({
    url: endpoint.replace(/\/*$/, TRACES_PATH),
    timeoutMillis: EXPORT_TIMEOUT_MS,
  });
  const provider = new BasicTracerProvider({
    resource: resources.resourceFromAttributes({ 'service.name': 'parley' }),
    spanProcessors: [new BatchSpanProcessor(exporter, { exportTimeoutMillis: EXPORT_TIMEOUT_MS })],
  });
  const tracer = provider.getTracer('parley');
  const spans = new WeakMap<Operation, Span>();

  return {
    hooks: {
      operationStarted(operation) {
        const { kind, document } = operation;
        // The name of a rejected document is any text of the client's.
        const name = document === null ? null : operation.name;
        const span = tracer.startSpan([kind ?? 'rejected', name].filter(Boolean).join(' '), {
          kind: SpanKind.SERVER,
          attributes: {
            ...(kind === null ? {} : { 'graphql.operation.type': kind }),
            ...(name === null ? {} : { 'graphql.operation.name': name }),
          },
        });
        spans.set(operation, span);
      },
      subscriptionOpened(operation) {
        spans.get(operation)?.end();
        spans.delete(operation);
      },
      operationFinished(operation, { errors }) {
        const span = spans.get(operation);
        if (!span) return;
        if (errors.length > 0) {
          span.setAttribute(
            'parley.error_codes',
            errors.map(({ extensions }) => String(extensions.code)),
          );
          span.setStatus({ code: SpanStatusCode.ERROR });
        }
        span.end();
      },
    },
    close: () => provider.shutdown().catch(() => {}),
  };
}
