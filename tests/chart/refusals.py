"""What the chart refuses, and words of what it says then. Each is given beside values/minimal.yaml."""


def flag(text):
    return ["--set", text]


REFUSALS = [
    (flag("image.repository="), "image.repository: give the registry and name of your image"),
    (flag("image.repository=registry.example.com/longshore:1"), "/image/repository"),
    (flag("image.tag=a b"), "/image/tag"),
    (flag("image.digest=0123"), "/image/digest"),
    (flag("config.queue.url="), "config.queue.url: give the queue's address"),
    (flag("config.queue.url=portal-events"), "/config/queue/url"),
    (flag("config.queu.url=x"), "additional properties 'queu' not allowed"),
    (flag("config.db.mongo_uri=mongodb://u:p@db/portal"), "a ConfigMap is no place for a password"),
    (flag("config.admin.listen=0.0.0.0:1234"), "set admin.host and admin.port"),
    (flag("config.worker.drain_timeout=soon"), "/config/worker/drain_timeout"),
    (flag("config.in_flight.messages_max=5"), "minimum: got 5, want 10"),
    (flag("config.in_flight.bytes_max=256MB"), "/config/in_flight/bytes_max"),
    (flag("mongo.existingSecret="), "mongo.existingSecret: name the Secret"),
    (flag("mongo.uri=mongodb://u:p@db/portal"), "additional properties 'uri' not allowed"),
    (flag("mongo.externalSecret.enabled=true"), "mongo.existingSecret and mongo.externalSecret.enabled: keep one"),
    (["--set", "mongo.existingSecret=,mongo.externalSecret.enabled=true"], "mongo.externalSecret.storeName: name the"),
    (["--set", "mongo.existingSecret=,mongo.externalSecret.enabled=true,mongo.externalSecret.storeName=s"], "mongo.externalSecret.remoteKey: name"),
    (flag("extraEnv[0].name=MONGO_CACHE_URI"), "extraEnv: MONGO_CACHE_URI would show the password"),
    (flag("extraEnv[0].value=x"), "missing property 'name'"),
    (flag("aws.region=EU"), "/aws/region"),
    (flag("aws.roleArn=longshore"), "/aws/roleArn"),
    (flag("replicas=two"), "/replicas"),
    (flag("repliccas=2"), "additional properties 'repliccas' not allowed"),
    (flag("autoscaling.mode=vpa"), "value must be one of 'none', 'hpa', 'keda'"),
    (["--set", "autoscaling.mode=keda,autoscaling.maxReplicas=13"], "at most 12, or a smaller messages_max"),
    (["--set", "autoscaling.mode=hpa,autoscaling.minReplicas=5"], "must not be below autoscaling.minReplicas"),
    (["--set", "autoscaling.mode=keda,config.queue.url=https://queue.example.com/q"], "aws.region: config.queue.url does not tell it"),
    (["--set", "autoscaling.mode=keda,autoscaling.keda.podIdentity=none"], "aws.credentialsSecret: autoscaling.keda.podIdentity is none"),
    (["--set", "autoscaling.mode=keda,autoscaling.keda.messagesPerReplica=20000"], "more than the 10000 that a worker holds"),
    (flag("admin.port=80"), "minimum: got 80"),
    (flag("admin.host=127.0.0.1"), "/admin/host"),
    (flag("otel.endpoint=collector:4317"), "/otel/endpoint"),
    (flag("otel.sampleRatio=2"), "/otel/sampleRatio"),
    (flag("networkPolicy.mongo.ports=null"), "/networkPolicy/mongo"),
    (flag("podDisruptionBudget.maxUnavailable=some"), "/podDisruptionBudget/maxUnavailable"),
    (flag("topologySpread.whenUnsatisfiable=Maybe"), "/topologySpread/whenUnsatisfiable"),
    (flag("serviceMonitor.interval=often"), "/serviceMonitor/interval"),
    (flag("nameOverride=Not_A_Name"), "/nameOverride"),
]
