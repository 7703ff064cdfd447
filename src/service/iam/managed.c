/* AWS's managed policies that SDKs and examples attach, as documents of ours: what they grant on the
 * services that clary has, not their texts. */

#include "service/iam/iam.h"

#define ALLOW(actions, resource)                                                                   \
    "{\"Effect\":\"Allow\",\"Action\":[" actions "],\"Resource\":\"" resource "\"}"
#define POLICY(statements) "{\"Version\":\"2012-10-17\",\"Statement\":[" statements "]}"

const ManagedPolicy managed_policies[] = {
    {"AdministratorAccess", "/", "ANPAIWMBCKSKIEE64ZLYK", POLICY(ALLOW("\"*\"", "*"))},
    {"PowerUserAccess", "/", "ANPAJYRXTHIB4FOVS3ZXS",
     POLICY(
         "{\"Effect\":\"Allow\",\"NotAction\":[\"iam:*\",\"organizations:*\",\"account:*\"],"
         "\"Resource\":\"*\"}," ALLOW("\"iam:ListRoles\",\"iam:CreateServiceLinkedRole\"", "*"))},
    {"ReadOnlyAccess", "/", "ANPAILL3HVNFSB6DCOWYQ",
     POLICY(ALLOW("\"*:Get*\",\"*:List*\",\"*:Describe*\",\"*:BatchGet*\",\"s3:HeadBucket\","
                  "\"sagemaker:Search\",\"logs:FilterLogEvents\",\"cloudtrail:LookupEvents\","
                  "\"iam:Simulate*\"",
                  "*"))},
    {"IAMFullAccess", "/", "ANPAI7XKCFMBPM3QQRRVQ", POLICY(ALLOW("\"iam:*\"", "*"))},
    {"IAMReadOnlyAccess", "/", "ANPAJKSO7NDY4T57MWDSQ",
     POLICY(ALLOW("\"iam:Get*\",\"iam:List*\",\"iam:Simulate*\",\"iam:Generate*\"", "*"))},
    {"AmazonS3FullAccess", "/", "ANPAIFIR6V6BVTRAHWINE",
     POLICY(ALLOW("\"s3:*\",\"s3-object-lambda:*\"", "*"))},
    {"AmazonS3ReadOnlyAccess", "/", "ANPAIZTJ4DXE7G6AGAE6M",
     POLICY(ALLOW("\"s3:Get*\",\"s3:List*\",\"s3:Describe*\",\"s3-object-lambda:Get*\","
                  "\"s3-object-lambda:List*\"",
                  "*"))},
    {"AmazonSageMakerFullAccess", "/", "ANPAJZ5IWYMXO5QDB4QOG",
     POLICY(
         "{\"Effect\":\"Allow\",\"Action\":[\"sagemaker:*\",\"sagemaker-geospatial:*\"],"
         "\"Resource\":\"*\"}," ALLOW(
             "\"application-autoscaling:*\",\"cloudwatch:DeleteAlarms\",\"cloudwatch:DescribeAlarms\","
             "\"cloudwatch:GetMetricData\",\"cloudwatch:GetMetricStatistics\","
             "\"cloudwatch:ListMetrics\",\"cloudwatch:PutMetricAlarm\",\"cloudwatch:PutMetricData\","
             "\"ecr:BatchCheckLayerAvailability\",\"ecr:BatchGetImage\",\"ecr:Describe*\","
             "\"ecr:GetAuthorizationToken\",\"ecr:GetDownloadUrlForLayer\",\"ecr:StartImageScan\","
             "\"ec2:CreateNetworkInterface\",\"ec2:CreateNetworkInterfacePermission\","
             "\"ec2:DeleteNetworkInterface\",\"ec2:DeleteNetworkInterfacePermission\","
             "\"ec2:CreateVpcEndpoint\",\"ec2:Describe*\",\"elastic-inference:Connect\","
             "\"fsx:DescribeFileSystems\",\"elasticfilesystem:Describe*\",\"glue:Get*\","
             "\"glue:BatchGet*\",\"glue:Search*\",\"glue:CreateTable\",\"glue:UpdateTable\","
             "\"glue:DeleteTable\",\"glue:CreateDatabase\",\"iam:GetRole\",\"iam:ListRoles\","
             "\"kms:DescribeKey\",\"kms:ListAliases\",\"lambda:ListFunctions\",\"logs:CreateLogDelivery\","
             "\"logs:CreateLogGroup\",\"logs:CreateLogStream\",\"logs:DeleteLogDelivery\","
             "\"logs:Describe*\",\"logs:FilterLogEvents\",\"logs:GetLogDelivery\",\"logs:GetLogEvents\","
             "\"logs:ListLogDeliveries\",\"logs:PutLogEvents\",\"logs:PutResourcePolicy\","
             "\"logs:UpdateLogDelivery\",\"secretsmanager:ListSecrets\",\"sns:ListTopics\","
             "\"tag:GetResources\",\"athena:*\",\"s3:CreateBucket\",\"s3:GetBucketLocation\","
             "\"s3:ListBucket\",\"s3:ListAllMyBuckets\",\"s3:GetBucketCors\",\"s3:PutBucketCors\","
             "\"s3:GetBucketAcl\",\"s3:PutObjectAcl\"",
             "*") ","
                  "{\"Effect\":\"Allow\",\"Action\":[\"s3:GetObject\",\"s3:PutObject\",\"s3:DeleteObject\","
                  "\"s3:AbortMultipartUpload\"],\"Resource\":[\"arn:aws:s3:::*sagemaker*\","
                  "\"arn:aws:s3:::*SageMaker*\",\"arn:aws:s3:::*Sagemaker*\",\"arn:aws:s3:::*aws-glue*\"]},"
                  "{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":\"*\",\"Condition\":{"
                  "\"StringEqualsIgnoreCase\":{\"s3:ExistingObjectTag/SageMaker\":\"true\"}}},"
                  "{\"Effect\":\"Allow\",\"Action\":\"lambda:InvokeFunction\",\"Resource\":["
                  "\"arn:aws:lambda:*:*:function:*SageMaker*\",\"arn:aws:lambda:*:*:function:*sagemaker*\","
                  "\"arn:aws:lambda:*:*:function:*Sagemaker*\"]},"
                  "{\"Effect\":\"Allow\",\"Action\":\"iam:PassRole\",\"Resource\":\"arn:aws:iam::*:role/*\","
                  "\"Condition\":{\"StringEquals\":{\"iam:PassedToService\":[\"glue.amazonaws.com\","
                  "\"robomaker.amazonaws.com\",\"states.amazonaws.com\",\"sagemaker.amazonaws.com\"]}}}")},
    {"AmazonSageMakerReadOnly", "/", "ANPAJTZ2FTFCQ6CFLQA2O",
     POLICY(
         ALLOW("\"sagemaker:Describe*\",\"sagemaker:List*\",\"sagemaker:BatchGetMetrics\","
               "\"sagemaker:GetDeviceRegistration\",\"sagemaker:GetDeviceFleetReport\","
               "\"sagemaker:GetSearchSuggestions\",\"sagemaker:BatchGetRecord\","
               "\"sagemaker:GetRecord\",\"sagemaker:Search\",\"application-autoscaling:Describe*\","
               "\"cloudwatch:DescribeAlarms\"",
               "*"))},
    {"CloudWatchFullAccess", "/", "ANPAIKEABORKUXN6DEAZU",
     POLICY(ALLOW("\"cloudwatch:*\",\"logs:*\",\"sns:*\",\"autoscaling:Describe*\"", "*"))},
    {"CloudWatchReadOnlyAccess", "/", "ANPAJN23PDQP7SZQAE3QE",
     POLICY(ALLOW("\"cloudwatch:Describe*\",\"cloudwatch:Get*\",\"cloudwatch:List*\",\"logs:Get*\","
                  "\"logs:List*\",\"logs:Describe*\",\"logs:FilterLogEvents\",\"logs:StartQuery\","
                  "\"logs:StopQuery\",\"sns:Get*\",\"sns:List*\"",
                  "*"))},
    {"CloudWatchLogsFullAccess", "/", "ANPAJ3ZGNWK2R5HW5BQFO",
     POLICY(ALLOW("\"logs:*\",\"cloudwatch:GenerateQuery\"", "*"))},
    {"CloudWatchLogsReadOnlyAccess", "/", "ANPAJ2YIYDYSNNEHK3VKW",
     POLICY(ALLOW("\"logs:Describe*\",\"logs:Get*\",\"logs:List*\",\"logs:StartQuery\","
                  "\"logs:StopQuery\",\"logs:TestMetricFilter\",\"logs:FilterLogEvents\"",
                  "*"))},
    {"AmazonKinesisFullAccess", "/", "ANPAIVF32HAMOXCUYRAYE", POLICY(ALLOW("\"kinesis:*\"", "*"))},
    {"AmazonKinesisReadOnlyAccess", "/", "ANPAIOCMTDT5RLKZ2CAJO",
     POLICY(ALLOW("\"kinesis:Get*\",\"kinesis:List*\",\"kinesis:Describe*\"", "*"))},
    {"AmazonKinesisFirehoseFullAccess", "/", "ANPAJMZQMTZ7FRBFHHAHI",
     POLICY(ALLOW("\"firehose:*\"", "*"))},
    {"AWSLambda_FullAccess", "/", "ANPAZKAPJZG4OL37RBBP5",
     POLICY(ALLOW("\"lambda:*\",\"iam:ListRoles\",\"iam:GetRole\",\"logs:Describe*\","
                  "\"logs:Get*\",\"cloudwatch:GetMetricData\",\"cloudwatch:ListMetrics\"",
                  "*") ",{\"Effect\":\"Allow\",\"Action\":\"iam:PassRole\",\"Resource\":\"*\","
                       "\"Condition\":{\"StringEquals\":{\"iam:PassedToService\":"
                       "\"lambda.amazonaws.com\"}}}")},
    {"AWSLambdaBasicExecutionRole", "/service-role/", "ANPAJNCQGXC42545SKXIK",
     POLICY(ALLOW("\"logs:CreateLogGroup\",\"logs:CreateLogStream\",\"logs:PutLogEvents\"", "*"))},
    {"AWSGlueServiceRole", "/service-role/", "ANPAIRUJCPEBPMEZFAS32",
     POLICY(
         ALLOW("\"glue:*\",\"s3:GetBucketLocation\",\"s3:ListBucket\",\"s3:ListAllMyBuckets\","
               "\"s3:GetBucketAcl\",\"iam:ListRolePolicies\",\"iam:GetRole\",\"iam:GetRolePolicy\","
               "\"cloudwatch:PutMetricData\",\"logs:CreateLogGroup\",\"logs:CreateLogStream\","
               "\"logs:PutLogEvents\"",
               "*") "," ALLOW("\"s3:GetObject\",\"s3:PutObject\",\"s3:DeleteObject\"",
                              "arn:aws:s3:::aws-glue-*"))},
    {0},
};

const ManagedPolicy *managed_policy_find(Str arn)
{
    Str prefix = STR("arn:aws:iam::aws:policy");
    if (!str_starts(arn, prefix)) return NULL;
    arn = str_from(arn, prefix.len);
    for (const ManagedPolicy *policy = managed_policies; policy->name; policy++)
        if (str_starts(arn, str_of(policy->path)) &&
            str_is(str_from(arn, strlen(policy->path)), policy->name))
            return policy;
    return NULL;
}

bool managed_policy_text(DbTx *tx, Str arn, Arena *arena, Str *ret_text, Error *err)
{
    Error end = {0};
    const ManagedPolicy *aws = managed_policy_find(arn);
    *ret_text = (Str){0};
    if (aws) {
        *ret_text = str_of(aws->text);
        return true;
    }
    DB_ROWS(rows);
    if (!db_query(
            tx, &rows, err,
            "SELECT document FROM iam_version JOIN iam_policy ON iam_policy.arn = iam_version.arn "
            "AND default_version = version WHERE iam_policy.arn = ?",
            "t", arn))
        return false;
    if (db_next(&rows, &end)) *ret_text = arena_str(arena, db_text(&rows, 0));
    return true;
}
